//! Where jobs can be enqueued.

use std::future::Future;
use std::pin::Pin;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokio::time::timeout;

use crate::client::{Client, ENQUEUE_TIMEOUT};
use crate::db::query::acquire;
use crate::db::statements;
use crate::enqueue::batch::{Answer, Batch, MAX_ARGS};
use crate::{EnqueueError, JobId, Tx};

type Sending<'s> = Pin<Box<dyn Future<Output = Result<Answer, EnqueueError>> + Send + 's>>;

/// Where jobs can be enqueued: `&client`, `&pool`, `&mut *connection`, `&mut *transaction`, or
/// [`client.within(&mut *transaction)`](Client::within); in a transactional job, `&mut *tx`.
///
/// A bare pool, connection or transaction writes to the schema `pgjobq`. The call is one statement. This trait is sealed.
///
/// Through a client an enqueue takes at most its [`enqueue_timeout`](crate::ClientBuilder::enqueue_timeout), all tries
/// included. Through a bare pool it is tried once, and has 30 seconds from when the pool has given a connection. On a
/// connection or a transaction of yours it has the limits that you have set there.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # mod receipt { pub fn job(_: i64) -> pgjobq_core::NewJob<()> { unimplemented!() } }
/// # async fn example(client: pgjobq::Client, pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
/// receipt::job(7).enqueue(&client).await?;
///
/// let mut tx = pool.begin().await?;
/// receipt::job(8).enqueue(&mut *tx).await?; // Commits or vanishes with the transaction.
/// tx.commit().await?;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "a job cannot be enqueued to `{Self}`",
    label = "not a target",
    note = "write `&client`, `&pool`, `&mut *connection`, or `&mut *transaction`, with which the job commits",
    note = "in a job function, `ctx.enqueue(name::job(…))`, or `&mut *tx` for its transaction"
)]
pub trait Target: sealed::Sealed + Send {
    #[doc(hidden)]
    fn send<'s>(&'s mut self, batch: &'s mut Batch) -> Sending<'s>;

    /// The job in which this enqueues, and its trace context.
    #[doc(hidden)]
    fn parent(&self) -> Option<(JobId, Option<&str>)> {
        None
    }

    /// Returns whether each statement commits by itself, so that another can follow one that failed.
    #[doc(hidden)]
    fn commits_each(&self) -> bool {
        false
    }

    /// How large the arguments of one job may be, in bytes.
    #[doc(hidden)]
    fn max_args(&self) -> usize {
        MAX_ARGS
    }
}

/// A client's schema and limits, on a caller's connection or transaction: a [`Target`], from [`Client::within`].
#[derive(Debug)]
pub struct Within<'c> {
    pub(crate) client: &'c Client,
    pub(crate) connection: &'c mut PgConnection,
}

impl Client {
    /// A caller's connection or transaction, for this client's schema and limits:
    /// `job.enqueue(client.within(&mut *tx))`. For the schema `pgjobq`, `&mut *tx` alone does: see [`Target`](crate::Target).
    #[must_use]
    pub fn within<'c>(&'c self, connection: &'c mut PgConnection) -> Within<'c> {
        Within { client: self, connection }
    }
}

#[diagnostic::do_not_recommend] // The message above names them.
impl Target for &Client {
    fn send<'s>(&'s mut self, batch: &'s mut Batch) -> Sending<'s> {
        let client: &Client = self;
        Box::pin(client.enqueue_batch(batch))
    }

    fn commits_each(&self) -> bool {
        true
    }

    fn max_args(&self) -> usize {
        self.limits().max_args
    }
}

#[diagnostic::do_not_recommend] // The message above names them.
impl Target for Within<'_> {
    fn send<'s>(&'s mut self, batch: &'s mut Batch) -> Sending<'s> {
        Box::pin(batch.send(self.connection, self.client.sql(), self.client.limits().notifications))
    }

    fn max_args(&self) -> usize {
        self.client.limits().max_args
    }
}

#[diagnostic::do_not_recommend] // The message above names them.
impl Target for &PgPool {
    fn send<'s>(&'s mut self, batch: &'s mut Batch) -> Sending<'s> {
        Box::pin(async {
            let mut connection = acquire(self, "pgjobq").await?;
            let answer =
                match timeout(ENQUEUE_TIMEOUT, batch.send(&mut connection, &statements::DEFAULT, true)).await
                {
                    Ok(answer) => answer?,
                    Err(_) => {
                        drop(connection.detach()); // It may be in the middle of an answer.
                        return Err(EnqueueError::TimedOut {
                            limit: ENQUEUE_TIMEOUT,
                            maybe_enqueued: true,
                            source: None,
                        });
                    }
                };
            Ok(Answer { committed: true, ..answer })
        })
    }

    fn commits_each(&self) -> bool {
        true
    }
}

#[diagnostic::do_not_recommend] // The message above names them.
impl Target for &mut PgConnection {
    fn send<'s>(&'s mut self, batch: &'s mut Batch) -> Sending<'s> {
        Box::pin(batch.send(self, &statements::DEFAULT, true))
    }
}

#[diagnostic::do_not_recommend] // The message above names them.
impl Target for &mut PoolConnection<Postgres> {
    fn send<'s>(&'s mut self, batch: &'s mut Batch) -> Sending<'s> {
        Box::pin(batch.send(self, &statements::DEFAULT, true))
    }
}

#[diagnostic::do_not_recommend] // The message above names them.
impl Target for &mut Transaction<'_, Postgres> {
    fn send<'s>(&'s mut self, batch: &'s mut Batch) -> Sending<'s> {
        Box::pin(batch.send(self, &statements::DEFAULT, true))
    }
}

#[diagnostic::do_not_recommend] // The message above names them.
impl Target for &mut Tx {
    fn send<'s>(&'s mut self, batch: &'s mut Batch) -> Sending<'s> {
        let client = self.client().clone();
        Box::pin(async move { batch.send(self, client.sql(), client.limits().notifications).await })
    }

    fn parent(&self) -> Option<(JobId, Option<&str>)> {
        Tx::parent(self)
    }

    fn max_args(&self) -> usize {
        self.client().limits().max_args
    }
}

mod sealed {
    use super::{Client, PgConnection, PgPool, PoolConnection, Postgres, Transaction, Tx, Within};

    pub trait Sealed {}
    impl Sealed for &Client {}
    impl Sealed for Within<'_> {}
    impl Sealed for &PgPool {}
    impl Sealed for &mut PgConnection {}
    impl Sealed for &mut PoolConnection<Postgres> {}
    impl Sealed for &mut Transaction<'_, Postgres> {}
    impl Sealed for &mut Tx {}
}
