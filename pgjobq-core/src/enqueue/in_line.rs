//! A place in the line of those who wait for room in a full queue.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::Row as _;
use tokio::runtime::Handle;
use tokio::sync::broadcast::Receiver;
use tokio::time::{sleep, timeout};

use crate::DatabaseError;
use crate::db::ids::QueueId;
use crate::db::listen::{Listener, Signal};
use crate::db::shared::Shared;
use crate::jitter::jittered;

/// The first and the longest pause between two looks. The longest is well below the time for which a place is kept (3 s).
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const MAX_PAUSE: Duration = Duration::from_millis(300);
/// A pause is at least so many times as long as a look: all who wait look, and a look may be slow. Still it is shorter than the time
/// for which a place is kept.
const LOOKS_IN_A_PAUSE: u32 = 20;
const MAX_SLOW_PAUSE: Duration = Duration::from_secs(2);
/// The timeout of one look.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

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
            has_progress: false,
        }
    }

    /// Looks how many of `want` jobs have room now, after those of all who came before. Zero after an error that may pass.
    pub(super) async fn turn(&mut self, want: usize) -> Result<usize, DatabaseError> {
        let want = i32::try_from(want).unwrap_or(i32::MAX);
        let look = sqlx::query(self.shared.sql.await_room.clone());
        let look = look.bind(self.queue).bind(self.number).bind(want);
        let begun = Instant::now();
        let rows = self.shared.rows_within(LOOK_TIMEOUT, look).await;
        self.look = begun.elapsed();
        let row = match rows {
            Ok(mut rows) => rows.pop().ok_or(DatabaseError::Refused(sqlx::Error::RowNotFound))?,
            Err(error) if error.is_transient() => return Ok(0),
            Err(error) => return Err(error),
        };
        let read = || Ok((row.try_get("number")?, row.try_get::<i32, _>("turn")?));
        let (number, turn) = read().map_err(DatabaseError::Refused)?;
        self.number = number;
        Ok(usize::try_from(turn).unwrap_or_default())
    }

    /// Notes that jobs of this place were enqueued, so that the next look comes soon.
    pub(super) fn note_progress(&mut self) {
        self.pause = FIRST_PAUSE;
        self.has_progress = true;
    }

    /// Waits until there may be room: for a notification, or for a moment.
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
        let _ = timeout(pause, notified).await;
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
            if let Err(error) = shared.rows_within(LOOK_TIMEOUT, leave).await {
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
