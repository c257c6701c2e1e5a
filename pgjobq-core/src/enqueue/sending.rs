//! Sends jobs through a client, and does what the bound of a full queue demands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::Row as _;
use tokio::time::{sleep, timeout_at};
use uuid::Uuid;

use crate::db::shared::Shared;
use crate::db::wake_ups::WakeUps;
use crate::enqueue::coalesce::Coalesce;
use crate::enqueue::deliver::Sender;
use crate::enqueue::full::{Full, Room, WhenFull};
use crate::enqueue::outcome::EnqueueOutcome;
use crate::enqueue::room::Rooms;
use crate::enqueue::row::Row;
use crate::jitter::jittered;
use crate::{DatabaseError, EnqueueError};

/// The first and the longest pause before jobs are dropped again for the same new ones.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const MAX_PAUSE: Duration = Duration::from_millis(320);

/// Sends jobs through a client.
#[derive(Clone, Copy)]
pub(crate) struct Sending<'c> {
    pub(crate) shared: &'c Arc<Shared>,
    pub(crate) coalesce: &'c Coalesce,
    pub(crate) sender: &'c Sender,
    pub(crate) rooms: &'c Rooms,
    pub(crate) wake_ups: &'c WakeUps,
    /// The limit of the call; of a batch that waits for room, the limit until some of it gets room.
    pub(crate) limit: Duration,
    /// True if it waits for room in a full queue.
    pub(crate) waits: bool,
}

impl Sending<'_> {
    /// Sends these jobs. What becomes of each is then in its row. After an error, `rows` has those that are not known to be enqueued.
    pub(crate) async fn send(self, rows: &mut Vec<Arc<Row>>) -> Result<(), EnqueueError> {
        match rows.as_slice() {
            // A job with edges goes alone: an unknown parent refuses the whole statement.
            [row] if row.edges.is_empty() => {
                let row = Arc::clone(row);
                self.one(row).await
            }
            _ => self.many(rows).await,
        }
    }

    /// Sends a single job, together with those of other callers.
    async fn one(self, row: Arc<Row>) -> Result<(), EnqueueError> {
        let deadline = Instant::now() + self.limit;
        let sent = async {
            let mut drops = Drops::default();
            let mut sent = self.coalesce.enqueue(Arc::clone(&row), deadline).await?;
            while let Some(full) = sent {
                sent = match full.when_full {
                    WhenFull::DropNew => {
                        row.outcome.set(EnqueueOutcome::Dropped);
                        None
                    }
                    WhenFull::DropOldest => {
                        self.drop_oldest(&full, 1, &mut drops, deadline).await?;
                        self.coalesce.enqueue(Arc::clone(&row), deadline).await?
                    }
                    WhenFull::Wait if self.waits => {
                        let reply = self.rooms.enqueue(&row, &full, deadline).await?;
                        self.coalesce.follow(reply, Arc::clone(&row), deadline).await?
                    }
                    WhenFull::Wait | WhenFull::Reject => return Err(full.error()),
                }
            }
            Ok(())
        };
        // A little later than the wait for room, which knows more.
        let late = deadline + Duration::from_millis(50);
        timeout_at(late.into(), sent).await.unwrap_or_else(|_| {
            let last = self.shared.exhausted(self.limit).map(Arc::new);
            Err(EnqueueError::TimedOut { limit: self.limit, maybe_enqueued: true, last })
        })
    }

    /// Sends many jobs. Those of each full queue get their room in order.
    async fn many(self, rows: &mut Vec<Arc<Row>>) -> Result<(), EnqueueError> {
        let deadline = Instant::now() + self.limit;
        for full in self.sender.deliver(rows, None, deadline, Room::ForSome).await? {
            let without_room = |row: &Arc<Row>| full.jobs.contains(&row.id.as_uuid());
            let (mut left, others) = std::mem::take(rows).into_iter().partition(without_room);
            *rows = others;
            let sent = self.without_room(&mut left, full).await;
            rows.append(&mut left);
            sent?;
        }
        Ok(())
    }

    /// Does what the bound demands with jobs of one queue that had no room, and takes those that are enqueued or dropped out of
    /// `rows`. Each time that some of them were, it has the limit of the call for the next.
    async fn without_room(self, rows: &mut Vec<Arc<Row>>, mut full: Full) -> Result<(), EnqueueError> {
        let (mut drops, mut deadline) = (Drops::default(), Instant::now() + self.limit);
        while !rows.is_empty() {
            match full.when_full {
                WhenFull::DropNew => rows.drain(..).for_each(|row| row.outcome.set(EnqueueOutcome::Dropped)),
                WhenFull::Wait if self.waits => self.rooms.deliver(rows, &full, self.limit).await?,
                WhenFull::Wait | WhenFull::Reject => return Err(full.error()),
                WhenFull::DropOldest => {
                    let before = rows.len();
                    self.drop_oldest(&full, before, &mut drops, deadline).await?;
                    let mut left = self.sender.deliver(rows, None, deadline, Room::ForSome).await?;
                    if rows.len() < before {
                        (drops, deadline) = (Drops::default(), Instant::now() + self.limit);
                    }
                    full = left.pop().unwrap_or(full); // The policy may have changed.
                }
            }
        }
        Ok(())
    }

    /// Cancels the jobs of a full queue that have waited in line for the longest time, unless there is room now. Fails if there are
    /// none. From the second time on it pauses before: others took the room, or wait in line for it.
    async fn drop_oldest(
        self,
        full: &Full,
        most: usize,
        drops: &mut Drops,
        deadline: Instant,
    ) -> Result<(), EnqueueError> {
        let shared = self.shared;
        if let Some(pause) = drops.next_pause() {
            if Instant::now() + pause >= deadline {
                return Err(full.error());
            }
            tokio::select! {
                () = shared.stop.cancelled() => return Err(EnqueueError::Closed),
                () = sleep(pause) => {}
            }
        }
        let most = i32::try_from(most).unwrap_or(i32::MAX);
        let row = shared.write(&shared.sql.drop_oldest, &[&full.id, &most]).await?;
        let read = || Ok((row.try_get("dropped")?, row.try_get("has_followers")?));
        let (dropped, has_followers): (Option<Vec<Uuid>>, bool) = read().map_err(DatabaseError::Refused)?;
        let Some(dropped) = dropped else { return Ok(()) };
        self.wake_ups.ended(&dropped, has_followers);
        shared.observe_ended(&dropped);
        if dropped.is_empty() { Err(full.error()) } else { Ok(()) }
    }
}

/// The number of times that jobs were dropped for the same new ones.
#[derive(Default)]
struct Drops(u32);

impl Drops {
    /// Returns the pause before the next time; `None` before the first.
    fn next_pause(&mut self) -> Option<Duration> {
        let pause = (FIRST_PAUSE * 2_u32.saturating_pow(self.0.saturating_sub(1))).min(MAX_PAUSE);
        self.0 = (self.0 + 1).min(10);
        (self.0 > 1).then(|| jittered(pause))
    }
}
