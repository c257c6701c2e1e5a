//! Sends jobs through a client, and does what the bound of a full queue demands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::Row as _;
use tokio::time::timeout_at;
use uuid::Uuid;

use crate::db::notifier::Notifier;
use crate::db::shared::Shared;
use crate::enqueue::coalesce::{Coalesce, Coalesced};
use crate::enqueue::deliver::Sender;
use crate::enqueue::full::{Full, Room, WhenFull};
use crate::enqueue::inserted::Inserted;
use crate::enqueue::outcome::EnqueueOutcome;
use crate::enqueue::room::Rooms;
use crate::enqueue::row::Row;
use crate::{DatabaseError, EnqueueError};

/// Sends jobs through a client.
#[derive(Clone, Copy)]
pub(crate) struct Sending<'c> {
    pub(crate) shared: &'c Shared,
    pub(crate) coalesce: &'c Coalesce,
    pub(crate) sender: &'c Sender,
    pub(crate) rooms: &'c Rooms,
    pub(crate) notifier: &'c Notifier,
    /// The limit of the call; of a batch that waits for room, the limit until some of it gets room.
    pub(crate) limit: Duration,
    /// True if it waits for room in a full queue.
    pub(crate) waits: bool,
}

impl Sending<'_> {
    /// Sends these jobs. After an error, the rows are those that are not known to be enqueued.
    pub(crate) async fn send(self, rows: &mut Vec<Arc<Row>>) -> Result<Inserted, EnqueueError> {
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
    async fn one(self, row: Arc<Row>) -> Result<Inserted, EnqueueError> {
        let deadline = Instant::now() + self.limit;
        let sent = async {
            let mut sent = self.coalesce.enqueue(Arc::clone(&row), deadline).await?;
            loop {
                let full = match sent {
                    Coalesced::Enqueued(new) => return Ok(inserted(new, 0)),
                    Coalesced::Full(full) => full,
                };
                match full.when_full {
                    WhenFull::DropNew => {
                        row.outcome.set(EnqueueOutcome::Dropped);
                        return Ok(inserted(0, 1));
                    }
                    WhenFull::DropOldest => {
                        self.drop_oldest(&full, 1).await?;
                        sent = self.coalesce.enqueue(Arc::clone(&row), deadline).await?;
                    }
                    WhenFull::Wait if self.waits => {
                        let reply = self.rooms.enqueue(&row, &full, deadline).await?;
                        sent = self.coalesce.follow(reply, Arc::clone(&row), deadline).await?;
                    }
                    WhenFull::Wait | WhenFull::Reject => return Err(full.error()),
                }
            }
        };
        // A little later than the wait for room, which knows more.
        let late = deadline + Duration::from_millis(50);
        timeout_at(late.into(), sent).await.unwrap_or_else(|_| {
            let last = self.shared.exhausted(self.limit);
            Err(EnqueueError::TimedOut { limit: self.limit, maybe_enqueued: true, last })
        })
    }

    /// Sends many jobs. Those of each full queue get their room in order.
    async fn many(self, rows: &mut Vec<Arc<Row>>) -> Result<Inserted, EnqueueError> {
        let deadline = Instant::now() + self.limit;
        let sent = self.sender.deliver(rows, None, deadline, Room::ForSome).await?;
        let mut all = inserted(sent.new, 0);
        for full in sent.full {
            let without_room = |row: &Arc<Row>| full.jobs.contains(&row.id.as_uuid());
            let (mut left, others) = std::mem::take(rows).into_iter().partition(without_room);
            *rows = others;
            let sent = self.without_room(&mut left, &full).await;
            rows.append(&mut left);
            let sent = sent?;
            all.new += sent.new;
            all.dropped += sent.dropped;
        }
        Ok(all)
    }

    /// Does what the bound demands with jobs that had no room, and takes those that are enqueued or dropped out of `rows`.
    async fn without_room(self, rows: &mut Vec<Arc<Row>>, full: &Full) -> Result<Inserted, EnqueueError> {
        match full.when_full {
            WhenFull::DropNew => {
                let dropped = rows.drain(..).inspect(|row| row.outcome.set(EnqueueOutcome::Dropped));
                Ok(inserted(0, dropped.count() as u64))
            }
            WhenFull::Wait if self.waits => {
                Ok(inserted(self.rooms.deliver(rows, full, self.limit).await?, 0))
            }
            WhenFull::Wait | WhenFull::Reject => Err(full.error()),
            WhenFull::DropOldest => {
                let mut new = 0;
                while !rows.is_empty() {
                    self.drop_oldest(full, rows.len()).await?;
                    let deadline = Instant::now() + self.limit;
                    new += self.sender.deliver(rows, None, deadline, Room::ForSome).await?.new;
                }
                Ok(inserted(new, 0))
            }
        }
    }

    /// Cancels the jobs of a full queue that have waited in line for the longest time, unless there is room now. Fails if there are
    /// none.
    async fn drop_oldest(self, full: &Full, most: usize) -> Result<(), EnqueueError> {
        let shared = self.shared;
        let most = i32::try_from(most).unwrap_or(i32::MAX);
        let row = shared.write(&shared.sql.drop_oldest, &[&full.id, &most]).await?;
        let dropped: Option<Vec<Uuid>> = row.try_get("dropped").map_err(DatabaseError::Refused)?;
        let Some(dropped) = dropped else { return Ok(()) };
        self.notifier.ended(&dropped);
        if dropped.is_empty() { Err(full.error()) } else { Ok(()) }
    }
}

fn inserted(new: u64, dropped: u64) -> Inserted {
    Inserted { new, dropped, committed: true }
}
