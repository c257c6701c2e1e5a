//! The transaction of a transactional job.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use tokio::sync::oneshot;

use crate::client::Client;
use crate::db::tx_pool::{Begun, Places};
use crate::trace::context::TraceContext;
use crate::{DatabaseError, JobId};

/// The transaction of a transactional job: what is written in it, the jobs that are enqueued in it, and the job's own
/// completion commit together, or not at all.
///
/// It derefs to a connection: `.execute(&mut **tx)`. (It is not an `Executor` itself, because that trait has one more
/// method if any crate of the program enables sqlx's `macros`.) A job that is enqueued with `.enqueue(&mut *tx)` has
/// this job as its parent. The worker commits it if the job function returns `Ok`, and otherwise rolls it back.
/// [`Tx::begin`] is for a unit test that calls the job function.
///
/// ```
/// # mod pgjobq { pub use {pgjobq_core::*, sqlx}; pub type Result<T, E = JobError> = std::result::Result<T, E>; }
/// use pgjobq::{Tx, sqlx};
///
/// // #[job(queue = "billing")] The argument `tx: &mut Tx` makes the job transactional.
/// async fn charge(tx: &mut Tx, invoice: i64) -> pgjobq::Result<()> {
///     sqlx::query("update invoices set paid = true where id = $1").bind(invoice).execute(&mut **tx).await?;
///     Ok(())
/// }
///
/// # async fn test(client: pgjobq::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut tx = Tx::begin(&client).await?;
/// assert!(charge(&mut tx, 7).await.is_ok());
/// tx.rollback().await?;
/// # Ok(())
/// # }
/// ```
pub struct Tx {
    begun: Begun,
    client: Client,
    parent: Option<(JobId, Option<TraceContext>)>,
}

/// The time that a transaction of a test may be idle.
const TEST_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

impl Tx {
    /// Begins a transaction, for a unit test of a transactional job function.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn begin(client: &Client) -> Result<Self, DatabaseError> {
        Self::begin_for(client, TEST_IDLE_TIMEOUT, None, None).await
    }

    /// Begins the transaction of a job, in its place or in the next free one. The server ends a transaction that is
    /// idle for this long, so that a frozen process does not keep its locks.
    pub(crate) async fn begin_for(
        client: &Client,
        idle: Duration,
        parent: Option<(JobId, Option<TraceContext>)>,
        place: Option<Places>,
    ) -> Result<Self, DatabaseError> {
        let millis = i32::try_from(idle.as_millis()).unwrap_or(i32::MAX).max(1);
        let begin = format!(
            "begin isolation level read committed read write; set local idle_in_transaction_session_timeout = {millis}"
        );
        let (shared, (answer, answered)) = (Arc::clone(client.shared()), oneshot::channel());
        // Runs in a task of its own, so that a caller that is dropped does not leave a transaction half-begun.
        client.shared().tasks.spawn(async move {
            let begun = async {
                let place = match place {
                    Some(place) => place,
                    None => shared.transactions.place().await?,
                };
                shared.transactions.begin(begin, place).await
            };
            let begun = begun.await;
            drop(answer.send(begun)); // Rolled back if nobody takes it.
        });
        let begun = answered.await.unwrap_or(Err(DatabaseError::PoolClosed))?;
        Ok(Self { begun, client: client.clone(), parent })
    }

    /// Commits the transaction.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses. If it could not be reached, the transaction may have committed
    /// nevertheless.
    pub async fn commit(self) -> Result<(), DatabaseError> {
        let Self { begun, client, .. } = self;
        begun.transaction.commit().await.map_err(|error| client.shared().error(error))
    }

    /// Rolls the transaction back.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached; it then rolls back by itself.
    pub async fn rollback(self) -> Result<(), DatabaseError> {
        let Self { begun, client, .. } = self;
        begun.transaction.rollback().await.map_err(|error| client.shared().error(error))
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the job that runs in it, and its trace context.
    pub(crate) fn parent(&self) -> Option<(JobId, Option<&TraceContext>)> {
        self.parent.as_ref().map(|(job, trace)| (*job, trace.as_ref()))
    }
}

impl Deref for Tx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.begun.transaction
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.begun.transaction
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Tx").field("parent", &self.parent).finish_non_exhaustive()
    }
}
