//! A place in the line of those who wait for room in a full queue.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sqlx::Row as _;
use tokio::runtime::Handle;
use tokio::sync::broadcast::Receiver;
use tokio::time::{sleep, sleep_until, timeout_at};

use crate::DatabaseError;
use crate::db::ids::QueueId;
use crate::db::listen::{Listener, Signal};
use crate::db::shared::Shared;
use crate::enqueue::looks::Looks;
use crate::jitter::jittered;
use crate::lock::lock;

/// The first and the longest pause between two looks. The longest is well below the time for which a place is kept (3 s).
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const MAX_PAUSE: Duration = Duration::from_millis(300);
/// A pause is at least so many times as long as a look: all who wait look, and a look may be slow. Still it is shorter than the time
/// for which a place is kept.
const LOOKS_IN_A_PAUSE: u32 = 20;
const MAX_SLOW_PAUSE: Duration = Duration::from_secs(2);
/// The timeout of one look.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// The interval at which a place is renewed while its jobs are sent.
const RENEW_INTERVAL: Duration = Duration::from_secs(1);
/// The timeout of leaving the line. A place that is not left expires soon after.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// A place in the line of a full queue. Nothing else is held: if this is dropped, or its process dies, the line moves up.
pub(super) struct InLine {
    shared: Arc<Shared>,
    queue: QueueId,
    /// The number of the place, after the first look.
    number: Option<i64>,
    signals: Receiver<Signal>,
    pause: Duration,
    /// The time that the last look took.
    look: Duration,
    looks: Arc<Mutex<Looks>>,
    /// Jobs of this place were enqueued.
    has_progress: bool,
}

impl InLine {
    /// Joins the line with the first look.
    pub(super) fn new(shared: &Arc<Shared>, listener: &Listener, queue: QueueId) -> Self {
        let signals = listener.subscribe();
        Self {
            shared: Arc::clone(shared),
            queue,
            number: None,
            signals,
            pause: FIRST_PAUSE,
            look: Duration::ZERO,
            looks: Arc::default(),
            has_progress: false,
        }
    }

    /// The answers of the looks so far.
    pub(super) fn looks(&self) -> Arc<Mutex<Looks>> {
        Arc::clone(&self.looks)
    }

    /// Looks how many of `want` jobs have room now, after those of all who came before. Zero after an error that may pass.
    pub(super) async fn turn(&mut self, want: usize) -> Result<usize, DatabaseError> {
        let want = i32::try_from(want).unwrap_or(i32::MAX);
        let look = sqlx::query(self.shared.sql.await_room.clone());
        let look = look.bind(self.queue).bind(self.number).bind(want);
        let begun = Instant::now();
        lock(&self.looks).ask();
        let rows = self.shared.rows_within(LOOK_TIMEOUT, look).await;
        self.look = begun.elapsed();
        let row = match rows {
            Ok(mut rows) => rows.pop().ok_or(DatabaseError::Refused(sqlx::Error::RowNotFound))?,
            Err(error) if error.is_transient() => {
                lock(&self.looks).failed(error);
                return Ok(0);
            }
            Err(error) => return Err(error),
        };
        let read = || Ok((row.try_get("number")?, row.try_get::<i32, _>("turn")?));
        let (number, turn) = read().map_err(DatabaseError::Refused)?;
        self.number = number;
        lock(&self.looks).answered();
        Ok(usize::try_from(turn).unwrap_or_default())
    }

    /// Keeps the place during some work for `want` jobs.
    pub(super) async fn keep_during<T>(&mut self, want: usize, work: impl Future<Output = T>) -> T {
        let renew = async {
            loop {
                sleep(RENEW_INTERVAL).await;
                let _ = self.turn(want).await;
            }
        };
        tokio::select! {
            done = work => done,
            never = renew => never,
        }
    }

    /// Notes that jobs of this place were enqueued, so that the next look comes soon.
    pub(super) fn note_progress(&mut self) {
        self.pause = FIRST_PAUSE;
        self.has_progress = true;
    }

    /// Waits until there may be room: for a notification, or for a moment. All who wait hear the same notification, so after one they
    /// also wait: for twenty times as long as a look takes.
    pub(super) async fn wait(&mut self) {
        let pause = jittered(pause_after(self.look, self.pause));
        self.pause = (self.pause * 2).min(MAX_PAUSE);
        let notified = async {
            loop {
                match self.signals.recv().await {
                    Ok(Signal::Room(queues)) if !queues.contains(&self.queue) => {}
                    Ok(Signal::Room(_) | Signal::Queues) => return,
                    Ok(_) => {}
                    Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => return,
                    Err(_) => return sleep(pause).await,
                }
            }
        };
        let end = tokio::time::Instant::now() + pause;
        if timeout_at(end, notified).await.is_ok() {
            let spread = jittered(pause_after(self.look, Duration::ZERO));
            sleep_until(end.min(tokio::time::Instant::now() + spread)).await;
        }
    }
}

impl Drop for InLine {
    /// Leaves the line. If that fails, the place expires.
    fn drop(&mut self) {
        let (Some(number), Ok(runtime)) = (self.number, Handle::try_current()) else { return };
        let (shared, queue) = (Arc::clone(&self.shared), self.queue);
        // Otherwise those behind have been notified of what there is.
        let notify = self.has_progress && shared.limits.notifications;
        let leave = async move {
            let leave = sqlx::query(shared.sql.leave_room_line.clone()).bind(queue).bind(number).bind(notify);
            if let Err(error) = shared.rows_within(LEAVE_TIMEOUT, leave).await {
                tracing::debug!(%error, "a place in the line of a full queue was not left; it expires");
            }
        };
        self.shared.tasks.spawn_on(leave, &runtime);
    }
}

/// Returns the pause after a look that took this time.
fn pause_after(look: Duration, pause: Duration) -> Duration {
    pause.max((look * LOOKS_IN_A_PAUSE).min(MAX_SLOW_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_looks_are_rare() {
        let (slow, stuck) = (Duration::from_millis(50), Duration::from_secs(4));
        assert_eq!(pause_after(Duration::from_micros(10), FIRST_PAUSE), FIRST_PAUSE);
        assert_eq!(pause_after(slow, FIRST_PAUSE), slow * 20);
        assert_eq!(pause_after(stuck, MAX_PAUSE), MAX_SLOW_PAUSE);
    }
}
