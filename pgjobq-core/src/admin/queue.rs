//! A queue by name: create, inspect, empty or delete it.

use std::time::Duration;

use sqlx::Row;
use uuid::Uuid;

use crate::admin::ageing;
use crate::admin::bounding::Bounding;
use crate::admin::change_limits::LimitError;
use crate::admin::limit_scope::LimitScope;
use crate::admin::queue_limit::QueueLimit;
use crate::admin::stated::Stated;
use crate::client::Client;
use crate::db::ids::{QueueId, Shard};
use crate::db::literal::Literal;
use crate::job::name;
use crate::{DatabaseError, JobState, QueueError};

/// The number of jobs that one transaction cancels. It holds the lanes of those jobs.
const PURGE_BATCH_SIZE: i32 = 500;
/// The shortest retention of an ended job: a program that waits for it should learn how it ended.
const SHORTEST_RETENTION: Duration = Duration::from_secs(60);
/// The longest retention. The schema has the same limit.
const LONGEST_RETENTION: Duration = Duration::from_secs(3660 * 86_400);

/// A state in which a job has ended, and in which its queue keeps it for a while: for [`Queue::retain`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndedState {
    /// The job completed. Its result is kept with it.
    Completed,
    /// The job failed or crashed too often, or failed with a fatal error.
    Dead,
    /// The job was cancelled.
    Cancelled,
    /// The job expired before it started.
    Expired,
}

impl From<EndedState> for JobState {
    fn from(state: EndedState) -> Self {
        match state {
            EndedState::Completed => Self::Completed,
            EndedState::Dead => Self::Dead,
            EndedState::Cancelled => Self::Cancelled,
            EndedState::Expired => Self::Expired,
        }
    }
}

/// A queue by name, from [`Client::queue`].
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use pgjobq::EndedState;
///
/// let day = Duration::from_secs(86_400);
/// client.queue("imports").retain(EndedState::Dead, 90 * day).save().await?; // For jobs that are sent there by name.
///
/// let stats = client.queue("imports").stats().await?.expect("it was saved");
/// println!("{} ready, {} running, {:.0} a minute", stats.ready, stats.running, stats.completed_per_minute);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "save it, look at it, pause it, change its settings, purge it, or delete it"]
pub struct Queue<'c> {
    pub(crate) client: &'c Client,
    pub(crate) name: String,
}

/// A queue to create or to change, with the options that the code says: from [`Queue::retain`]. Nothing is sent before
/// [`save`](Self::save).
#[derive(Debug)]
#[must_use = "save it"]
pub struct SaveQueue<'c> {
    client: &'c Client,
    name: String,
    /// By [`EndedState`].
    kept: [Option<Duration>; 4],
    pub(super) limit: QueueLimit,
    pub(super) bounding: Bounding,
    ageing: Option<Duration>,
}

impl<'c> Queue<'c> {
    pub(crate) fn new(client: &'c Client, name: String) -> Self {
        Self { client, name }
    }

    /// Sets the retention of jobs that ended in this state, from one minute to ten years. It takes effect with
    /// [`save`](SaveQueue::save), for jobs that end a minute later.
    ///
    /// This is what the code says; what an operator sets with [`change`](Self::change) wins.
    ///
    /// Without it, completed jobs are kept for a day, dead ones for thirty days, and cancelled and expired ones for a week. The
    /// `retain` of a job function outweighs it for completed jobs. Jobs are dropped by the day, and later days together: a job
    /// that is kept for more than a week may stay up to a week longer, and from a hundred days on up to a third longer.
    ///
    /// Only `save` follows it, so that no retention is forgotten:
    ///
    /// ```compile_fail,E0599
    /// # use pgjobq_core::{Client, EndedState};
    /// # async fn example(client: Client, day: std::time::Duration) {
    /// client.queue("imports").retain(EndedState::Dead, 90 * day).pause().await;
    /// # }
    /// ```
    pub fn retain(self, ended: EndedState, time: Duration) -> SaveQueue<'c> {
        self.with_options().retain(ended, time)
    }

    /// Lets each waiting job move up one priority whenever it has waited for this time, until it is critical. It takes effect with
    /// [`save`](SaveQueue::save); `Duration::ZERO` turns it off, which is the default. What an operator sets with
    /// [`change`](Self::change) wins.
    ///
    /// So a stream of jobs of a higher priority does not keep a job waiting without end: a low job is critical after three times
    /// this time and an eighth more, and then only jobs that came before it are ahead of it. It keeps its new priority, also for its
    /// retries. Jobs in quarantine do not move up. A job that waited when ageing was turned on waits from that moment on.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::QueueError> {
    /// client.queue("mail").ageing(std::time::Duration::from_secs(10 * 60)).save().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn ageing(self, time: Duration) -> SaveQueue<'c> {
        self.with_options().ageing(time)
    }

    /// Creates the queue if it does not exist. Enqueues never create queues, so that two transactions cannot block each other
    /// over one. `client.migrate()` and a worker's `build()` save the queues that the program names.
    ///
    /// # Errors
    ///
    /// [`QueueError::Name`], before anything is sent; and [`QueueError::Database`].
    pub async fn save(self) -> Result<(), QueueError> {
        self.with_options().save().await
    }

    pub(super) fn with_options(self) -> SaveQueue<'c> {
        let Self { client, name } = self;
        SaveQueue {
            client,
            name,
            kept: [None; 4],
            limit: QueueLimit::default(),
            bounding: Bounding::default(),
            ageing: None,
        }
    }

    /// Cancels the jobs that wait in the queue, and returns their number. Running jobs go on.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement. The work is done batch by batch: the jobs of
    /// earlier batches stay cancelled.
    pub async fn purge(&self) -> Result<u64, DatabaseError> {
        match self.client.queue_id(&self.name).await? {
            Some(id) => self.client.purge(id, "the queue was purged").await,
            None => Ok(0),
        }
    }

    /// Deletes the queue, and cancels its waiting jobs. Running jobs go on. If one of them fails and would be
    /// retried, a worker cancels it within a minute of the time at which it comes due. The queue's row is removed
    /// when no job of it is left, at the earliest after a month. Returns false if there is no such queue. Nothing can
    /// be enqueued in it until it is saved again; a worker that names it saves it in `build()`.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement. The workers then do the rest.
    pub async fn delete(self) -> Result<bool, DatabaseError> {
        let shared = self.client.shared();
        let deleted = shared.write(&shared.sql.delete_queue, &[&self.name.as_str()]).await?;
        let id: Option<QueueId> = deleted.try_get("id").map_err(DatabaseError::Refused)?;
        match id {
            Some(id) => self.client.purge(id, "the queue was deleted").await.map(|_| true),
            None => Ok(false),
        }
    }
}

impl SaveQueue<'_> {
    /// Sets another retention: see [`Queue::retain`].
    pub fn retain(mut self, ended: EndedState, time: Duration) -> Self {
        self.kept[ended as usize] = Some(time);
        self
    }

    /// Lets waiting jobs move up: see [`Queue::ageing`].
    pub fn ageing(mut self, time: Duration) -> Self {
        self.ageing = Some(time);
        self
    }

    /// Creates the queue if it does not exist, and sets the given options; others stay as they are.
    ///
    /// # Errors
    ///
    /// [`QueueError::Name`], [`QueueError::Retention`], [`QueueError::Ageing`], [`QueueError::Bound`] and [`QueueError::Fleet`] for what cannot be, before
    /// anything is sent; [`QueueError::BoundTooSmall`]; [`QueueError::Fleet`] and [`QueueError::BoundOnShards`] for a limit or a
    /// bound in a database with several shards; and [`QueueError::Database`].
    pub async fn save(self) -> Result<(), QueueError> {
        name::check("queue", &self.name)?;
        check_retention(&self.name, self.kept)?;
        check_ageing(&self.name, self.ageing)?;
        self.bounding.check(&self.name)?;
        let fleet = |error| QueueError::Fleet { queue: self.name.clone(), error: Box::new(error) };
        let limit = self.limit.checked().map_err(fleet)?;
        let (kept, bounding, ageing) = (self.kept, self.bounding, self.ageing);
        let stated = Stated { kept, slots: None, limit: limit.as_ref(), bounding, ageing };
        self.client.record_queue(&self.name, stated).await.map_err(|error| match &limit {
            Some(limit) if limit.is_refused(&error) => {
                fleet(LimitError::of(error, LimitScope::Queue, self.name.clone()))
            }
            _ => bounding.refused(error, &self.name),
        })?;
        if self.kept.iter().any(Option::is_some) {
            // Of the queue's retention the database knows.
            self.client.try_to_make_partitions(Duration::ZERO).await?.warn();
        }
        Ok(())
    }
}

/// Rejects a time of ageing that no queue can have.
pub(crate) fn check_ageing(queue: &str, ageing: Option<Duration>) -> Result<(), QueueError> {
    match ageing.filter(|time| !ageing::is_possible(*time)) {
        Some(time) => Err(QueueError::Ageing { queue: queue.to_owned(), time }),
        None => Ok(()),
    }
}

/// Rejects retentions, by [`EndedState`], that no queue can have.
pub(crate) fn check_retention(queue: &str, kept: [Option<Duration>; 4]) -> Result<(), QueueError> {
    use EndedState::{Cancelled, Completed, Dead, Expired};
    for (state, time) in [Completed, Dead, Cancelled, Expired].into_iter().zip(kept) {
        if let Some(time) = time.filter(|time| !(SHORTEST_RETENTION..=LONGEST_RETENTION).contains(time)) {
            return Err(QueueError::Retention { queue: queue.to_owned(), state: state.into(), time });
        }
    }
    Ok(())
}

impl Client {
    /// Returns a queue by name, to create, inspect, pause, change, empty or delete it.
    pub fn queue(&self, name: impl Into<String>) -> Queue<'_> {
        Queue::new(self, name.into())
    }

    /// Returns the id of a queue, if it exists.
    pub(crate) async fn queue_id(&self, name: &str) -> Result<Option<QueueId>, DatabaseError> {
        let shared = self.shared();
        let found = shared.read(&shared.sql.queue_ids, &[&&[name][..]]).await?;
        found.first().map(|row| row.try_get("id")).transpose().map_err(DatabaseError::Refused)
    }

    /// Creates a queue if it does not exist, and returns its id.
    #[doc(hidden)]
    pub async fn save_queue(&self, name: &str) -> Result<QueueId, DatabaseError> {
        self.record_queue(name, Stated::default()).await
    }

    /// Creates a queue if it does not exist, and records how many of its jobs a worker runs at a time. Returns its id.
    #[doc(hidden)]
    pub async fn save_served_queue(&self, name: &str, limit: usize) -> Result<QueueId, DatabaseError> {
        let slots = Some(i32::try_from(limit).unwrap_or(i32::MAX));
        self.record_queue(name, Stated { slots, ..Stated::default() }).await
    }

    /// Cancels all waiting jobs of a queue, shard by shard, in batches, and returns their number.
    #[doc(hidden)]
    pub async fn purge(&self, queue: QueueId, why: &str) -> Result<u64, DatabaseError> {
        let mut count = 0;
        for shard in self.about().await?.all_shards() {
            for priority in [None, Some(0_i16), Some(1), Some(2), Some(3)] {
                let mut after = Some(0_i64);
                while let Some(from) = after {
                    let (cancelled, scanned_to) = self.purge_batch(shard, queue, priority, from, why).await?;
                    self.notifications().cancelled(&cancelled);
                    self.shared().observe_ended(&cancelled);
                    count += cancelled.len() as u64;
                    after = scanned_to;
                }
            }
        }
        Ok(count)
    }

    async fn purge_batch(
        &self,
        shard: Shard,
        queue: QueueId,
        priority: Option<i16>,
        after: i64,
        why: &str,
    ) -> Result<(Vec<Uuid>, Option<i64>), DatabaseError> {
        let shared = self.shared();
        let values: [&dyn Literal; 6] = [&shard, &queue, &priority, &after, &PURGE_BATCH_SIZE, &why];
        let row = shared.write(&shared.sql.purge_queue, &values).await?;
        let cancelled: Option<Vec<Uuid>> = row.try_get("cancelled").map_err(DatabaseError::Refused)?;
        Ok((cancelled.unwrap_or_default(), row.try_get("scanned_to").map_err(DatabaseError::Refused)?))
    }
}
