//! The bound of a queue: the highest number of its live jobs.

use sqlx::Row as _;

use crate::admin::limit_scope::LimitScope;
use crate::admin::queue::{Queue, SaveQueue};
use crate::admin::settings::ChangeSettings;
use crate::client::Client;
use crate::{DatabaseError, QueueError, WhenFull};

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

    /// Returns how many jobs the queue has room for. Returns `None` if it has no bound.
    ///
    /// Places that an open transaction has taken still count as free, but nobody else gets them unless it is rolled back.
    ///
    /// # Errors
    ///
    /// [`QueueError::Unknown`] if there is no such queue, and [`QueueError::Database`].
    pub async fn room(&self) -> Result<Option<u64>, QueueError> {
        let shared = self.client.shared();
        let row = shared.read(&shared.sql.room, &[&self.name.as_str()]).await?.pop();
        let row = row.ok_or(DatabaseError::Refused(sqlx::Error::RowNotFound))?;
        if !row.try_get::<bool, _>("known").map_err(DatabaseError::Refused)? {
            return Err(self.client.unknown_queue(self.name.clone()).await);
        }
        let room: Option<i32> = row.try_get("room").map_err(DatabaseError::Refused)?;
        Ok(room.map(|room| u64::from(room.unsigned_abs())))
    }
}

impl SaveQueue<'_> {
    /// Sets the highest number of live jobs, from 1 to 1,000,000: see [`Queue::bounded`]. Without [`when_full`](Self::when_full) an
    /// enqueue then waits for room, whatever was saved before.
    pub fn bounded(mut self, jobs: usize) -> Self {
        self.bounding.bound = Some(Some(jobs));
        self.bounding.when_full.get_or_insert_default();
        self
    }

    /// Removes the bound: see [`Queue::unbounded`].
    pub fn unbounded(mut self) -> Self {
        self.bounding.bound = Some(None);
        self.bounding.when_full.get_or_insert_default();
        self
    }

    /// Sets what an enqueue does when the queue is full; it waits for room by default.
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.bounding.when_full = Some(when_full);
        self
    }
}

impl ChangeSettings<'_> {
    /// Sets the highest number of live jobs in the queue, from 1 to 1,000,000: see [`Queue::bounded`].
    pub fn bound(mut self, jobs: usize) -> Self {
        self.bound = Some(Some(jobs));
        self
    }

    /// Lets the bound be what the code says.
    pub fn reset_bound(mut self) -> Self {
        self.bound = Some(None);
        self
    }

    /// Sets what an enqueue does when the queue is full: see [`SaveQueue::when_full`].
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = Some(Some(when_full));
        self
    }

    /// Lets an enqueue into the full queue do what the code says.
    pub fn reset_when_full(mut self) -> Self {
        self.when_full = Some(None);
        self
    }
}

impl Client {
    /// The error about a queue that does not exist.
    pub(super) async fn unknown_queue(&self, queue: String) -> QueueError {
        match self.existing(LimitScope::Queue).await {
            Ok(existing) => QueueError::Unknown { queue, existing },
            Err(error) => error.into(),
        }
    }
}
