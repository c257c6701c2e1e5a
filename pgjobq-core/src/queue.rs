//! A queue by name.

use sqlx::Row;

use crate::client::Client;
use crate::{EnqueueError, StoreError, name};

/// A queue by name, from [`Client::queue`].
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::EnqueueError> {
/// client.queue("imports").save().await?; // For jobs that are sent there with `.queue("imports")`.
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "call `save()`"]
pub struct Queue<'c> {
    pub(crate) client: &'c Client,
    pub(crate) name: String,
}

impl Queue<'_> {
    /// Makes sure that the queue is there. Enqueues never create queues, so that two transactions cannot block each other
    /// over one; `client.migrate()` and a worker's `build()` save the queues that the program names.
    ///
    /// # Errors
    ///
    /// When the name cannot be one, or the database refuses.
    pub async fn save(self) -> Result<(), EnqueueError> {
        name::check("queue", &self.name)?;
        self.client.save_queue(&self.name).await?;
        Ok(())
    }
}

impl Client {
    /// The id of a queue, if it is there.
    pub(crate) async fn queue_id(&self, name: &str) -> Result<Option<i32>, StoreError> {
        let shared = self.shared();
        let found =
            sqlx::query(shared.sql.queue_ids.clone()).bind(&[name][..]).fetch_optional(&shared.pool).await;
        found
            .and_then(|row| row.map(|row| row.try_get("id")).transpose())
            .map_err(|error| shared.error(error))
    }

    /// Makes sure that a queue is there, and gives its id.
    #[doc(hidden)]
    pub async fn save_queue(&self, name: &str) -> Result<i32, StoreError> {
        let shared = self.shared();
        let row = sqlx::query(shared.sql.create_queue.clone()).bind(name).fetch_one(&shared.pool).await;
        row.and_then(|row| row.try_get("id")).map_err(|error| shared.error(error))
    }
}
