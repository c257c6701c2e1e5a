//! The bound of a queue: the highest number of its live jobs.

use sqlx::Row as _;
use sqlx::postgres::PgDatabaseError;

use crate::admin::queue::{Queue, QueueError, SaveQueue};
use crate::client::Client;
use crate::db::ids::QueueId;
use crate::db::literal::Literal;
use crate::{DatabaseError, WhenFull};

/// The highest bound. The schema has the same.
pub(crate) const HIGHEST_BOUND: usize = 1_000_000;
/// The SQLSTATE of a bound below the number of jobs that are there.
const TOO_SMALL: &str = "PJ004";
/// The SQLSTATE of a bound in a database of several shards.
const UNSUPPORTED: &str = "0A000";

/// What the code says of the bound of a queue.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounding {
    /// The bound, or none.
    bound: Option<Option<usize>>,
    when_full: Option<WhenFull>,
}

impl<'c> Queue<'c> {
    /// Bounds the queue: at most this many jobs are live in it, waiting or running. It takes effect with
    /// [`save`](SaveQueue::save). What an operator sets with [`change`](Self::change) wins.
    ///
    /// When the queue is full, an enqueue through a client waits for room: see [`when_full`](SaveQueue::when_full). The bound
    /// holds across all processes, and whatever transactions commit or roll back. It counts the jobs that are enqueued while
    /// the queue has it. Those that were there before are not counted.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # async fn example(client: pgjobq::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use pgjobq::WhenFull;
    ///
    /// client.queue("uploads").bounded(10_000).save().await?; // An enqueue waits for room.
    /// client.queue("metrics").bounded(500).when_full(WhenFull::DropOldest).save().await?;
    ///
    /// let room = client.queue("uploads").room().await?.expect("it is bounded");
    /// println!("{room} more fit");
    /// # Ok(())
    /// # }
    /// ```
    pub fn bounded(self, jobs: usize) -> SaveQueue<'c> {
        self.with_options().bounded(jobs)
    }

    /// Removes the bound that the code has set before. It takes effect with [`save`](SaveQueue::save).
    pub fn unbounded(self) -> SaveQueue<'c> {
        self.with_options().unbounded()
    }

    /// Returns how many jobs the queue has room for. Returns `None` if it has no bound, or does not exist.
    ///
    /// Places that an open transaction has taken are not free until it is rolled back, or its jobs have ended.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn room(&self) -> Result<Option<u64>, DatabaseError> {
        let shared = self.client.shared();
        let row = shared.read(&shared.sql.room, &[&self.name.as_str()]).await?.pop();
        let row = row.ok_or(DatabaseError::Refused(sqlx::Error::RowNotFound))?;
        let room: Option<i32> = row.try_get("room").map_err(DatabaseError::Refused)?;
        Ok(room.map(|room| u64::from(room.unsigned_abs())))
    }
}

impl SaveQueue<'_> {
    /// Sets the highest number of live jobs, from 1 to 1,000,000: see [`Queue::bounded`].
    pub fn bounded(mut self, jobs: usize) -> Self {
        self.bounding.bound = Some(Some(jobs));
        self
    }

    /// Removes the bound: see [`Queue::unbounded`].
    pub fn unbounded(mut self) -> Self {
        self.bounding.bound = Some(None);
        self
    }

    /// Sets what an enqueue does when the queue is full; it waits for room by default.
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.bounding.when_full = Some(when_full);
        self
    }
}

impl Bounding {
    /// Rejects a bound that no queue can have.
    pub(crate) fn check(self, queue: &str) -> Result<(), QueueError> {
        self.bound.flatten().map_or(Ok(()), |bound| check_bound(queue, bound))
    }

    /// Records it.
    pub(crate) async fn save(self, client: &Client, queue: &str, id: QueueId) -> Result<(), QueueError> {
        if self.bound.is_none() && self.when_full.is_none() {
            return Ok(());
        }
        let shared = client.shared();
        let bound = self.bound.map(|bound| bound.map_or(0, |bound| i32::try_from(bound).unwrap_or(i32::MAX)));
        let when_full = self.when_full.map(WhenFull::word);
        let values: [&dyn Literal; 3] = [&id, &bound, &when_full];
        match shared.write(&shared.sql.save_bound, &values).await {
            Ok(_) => Ok(()),
            Err(error) => Err(refused(error, queue, self.bound.flatten().unwrap_or_default())),
        }
    }
}

/// Rejects a bound that no queue can have.
pub(crate) fn check_bound(queue: &str, bound: usize) -> Result<(), QueueError> {
    if (1..=HIGHEST_BOUND).contains(&bound) {
        Ok(())
    } else {
        Err(QueueError::Bound { queue: queue.to_owned(), bound })
    }
}

/// The error of a bound that the database refused.
pub(crate) fn refused(error: DatabaseError, queue: &str, bound: usize) -> QueueError {
    let queue = queue.to_owned();
    match error.code().as_deref() {
        Some(TOO_SMALL) => {
            QueueError::BoundTooSmall { queue, bound, jobs: jobs_of(&error).unwrap_or_default() }
        }
        Some(UNSUPPORTED) => QueueError::BoundOnShards(queue),
        _ => error.into(),
    }
}

/// Reads the number of jobs that the error names.
fn jobs_of(error: &DatabaseError) -> Option<u64> {
    let DatabaseError::Refused(error) = error else { return None };
    error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?.detail()?.parse().ok()
}
