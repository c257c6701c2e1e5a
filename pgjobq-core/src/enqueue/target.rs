//! The targets of an enqueue.

use std::future::Future;
use std::pin::Pin;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokio::time::timeout;

use crate::client::{Client, ENQUEUE_TIMEOUT};
use crate::db::client_schemas::CLIENT_SCHEMAS;
use crate::db::query::acquire;
use crate::db::statements::{self, Statements};
use crate::enqueue::insert::{self, Transaction as In};
use crate::enqueue::inserted::Inserted;
use crate::enqueue::new::New;
use crate::enqueue::row::MAX_ARGS;
use crate::trace::context::TraceContext;
use crate::workflow::enclosed;
use crate::{EnqueueError, JobId, Tx};

type Inserting<'s> = Pin<Box<dyn Future<Output = Result<Inserted, EnqueueError>> + Send + 's>>;

/// A target of an enqueue: `&client`, `&pool`, `&mut *connection`, `&mut *transaction`, or [`client.within(&mut
/// *transaction)`](Client::within); in a transactional job, `&mut *tx`.
///
/// A bare pool, connection or transaction writes to the schema `pgjobq`. If this process has built clients, and only for other
/// schemas, such an enqueue fails with [`EnqueueError::OtherSchema`]. The call is one statement. This trait is sealed.
///
/// Through a client an enqueue takes at most its [`enqueue_timeout`](crate::ClientBuilder::enqueue_timeout),
/// including all tries. Through a bare pool it is tried once, and has 30 seconds after the pool has returned a
/// connection. On your own connection or transaction it has the limits that you have set there.
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
    /// Inserts jobs or a workflow. What becomes of each job is then in its row. After an error, the jobs are those that are not known to be enqueued.
    #[doc(hidden)]
    fn insert<'s>(&'s mut self, new: New<'s>) -> Inserting<'s>;

    /// Returns the job in whose attempt this enqueues, and its trace context.
    #[doc(hidden)]
    fn parent(&self) -> Option<(JobId, Option<&TraceContext>)> {
        None
    }

    /// Returns whether each statement commits by itself, so that another can follow one that failed.
    #[doc(hidden)]
    fn commits_each(&self) -> bool {
        false
    }

    /// The largest size of one job's arguments, in bytes.
    #[doc(hidden)]
    fn max_args(&self) -> usize {
        MAX_ARGS
    }
}

/// A client's schema and limits, on a caller's connection or transaction.
#[derive(Debug)]
struct Within<'c> {
    client: &'c Client,
    connection: &'c mut PgConnection,
}

impl Client {
    /// Makes a [`Target`] of a caller's connection or transaction, with this client's schema and limits.
    ///
    /// For the schema `pgjobq` it is the same as `&mut *tx` alone, except for the client's
    /// [`max_args`](crate::ClientBuilder::max_args) and [`notifications`](crate::ClientBuilder::notifications).
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # mod receipt { pub fn job(_: i64) -> pgjobq_core::NewJob<()> { unimplemented!() } }
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
    /// use pgjobq::Client;
    ///
    /// let client = Client::builder(pool.clone()).schema("background").build()?;
    /// let mut tx = pool.begin().await?;
    /// receipt::job(7).enqueue(client.within(&mut tx)).await?;
    /// tx.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A bare connection is refused in such a program, before anything is sent:
    ///
    /// ```standalone_crate
    /// # use pgjobq_core as pgjobq;
    /// # mod receipt { pub fn job(id: i64) -> pgjobq_core::NewJob<()> {
    /// #     pgjobq_core::NewJob::new("receipt", &pgjobq_core::__private::Policy::DEFAULT, &serde_json::json!({ "id": id })) } }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use pgjobq::Client;
    ///
    /// let pool = sqlx::PgPool::connect_lazy("postgres://localhost/app").unwrap();
    /// let _client = Client::builder(pool.clone()).schema("background").build().unwrap();
    /// let refused = receipt::job(7).enqueue(&pool).await.unwrap_err();
    /// assert_eq!(
    ///     refused.to_string(),
    ///     "a bare connection or transaction writes to the schema `pgjobq`, but this program's client uses `background`: \
    ///      enqueue with `client.within(&mut *tx)` (bare connections are allowed if this process has also \
    ///      built a client of `pgjobq`)"
    /// );
    /// # }
    /// ```
    #[must_use]
    pub fn within<'c>(&'c self, connection: &'c mut PgConnection) -> impl Target + 'c {
        Within { client: self, connection }
    }
}

/// A client, in the attempt of a job, which becomes the parent.
#[derive(Debug)]
pub(crate) struct FromJob<'c> {
    pub(crate) client: &'c Client,
    pub(crate) job: JobId,
    pub(crate) trace: Option<TraceContext>,
}

/// Rejects a write to `pgjobq` by a program whose clients use another schema: its workers would not see the job.
fn check_schema() -> Result<(), EnqueueError> {
    let other = CLIENT_SCHEMAS.only_other().map(str::to_owned);
    other.map_or(Ok(()), |schema| Err(EnqueueError::OtherSchema { schema }))
}

#[diagnostic::do_not_recommend] // The message above names them.
impl Target for &Client {
    fn insert<'s>(&'s mut self, new: New<'s>) -> Inserting<'s> {
        let client: &Client = self;
        Box::pin(client.insert(new))
    }

    fn commits_each(&self) -> bool {
        true
    }

    fn max_args(&self) -> usize {
        self.limits().max_args
    }
}

impl Target for FromJob<'_> {
    fn insert<'s>(&'s mut self, new: New<'s>) -> Inserting<'s> {
        Box::pin(self.client.insert(new))
    }

    fn parent(&self) -> Option<(JobId, Option<&TraceContext>)> {
        Some((self.job, self.trace.as_ref()))
    }

    fn commits_each(&self) -> bool {
        true
    }

    fn max_args(&self) -> usize {
        self.client.limits().max_args
    }
}

#[diagnostic::do_not_recommend] // The message above names them.
impl Target for Within<'_> {
    fn insert<'s>(&'s mut self, new: New<'s>) -> Inserting<'s> {
        Box::pin(in_callers(new, self.connection, self.client.sql(), self.client.limits().notifications))
    }

    fn max_args(&self) -> usize {
        self.client.limits().max_args
    }
}

#[diagnostic::do_not_recommend] // The message above names them.
impl Target for &PgPool {
    fn insert<'s>(&'s mut self, new: New<'s>) -> Inserting<'s> {
        Box::pin(async {
            check_schema()?;
            let mut connection = acquire(self, "pgjobq").await?;
            let inserted = in_bare(new, &mut connection);
            match timeout(ENQUEUE_TIMEOUT, inserted).await {
                Ok(inserted) => Ok(Inserted { committed: true, ..inserted? }),
                Err(_) => {
                    drop(connection.detach()); // It may be in the middle of an answer.
                    let limit = ENQUEUE_TIMEOUT;
                    Err(EnqueueError::TimedOut { limit, maybe_enqueued: true, last: None })
                }
            }
        })
    }

    fn commits_each(&self) -> bool {
        true
    }
}

#[diagnostic::do_not_recommend] // The message above names them.
impl Target for &mut PgConnection {
    fn insert<'s>(&'s mut self, new: New<'s>) -> Inserting<'s> {
        Box::pin(in_bare(new, self))
    }
}

#[diagnostic::do_not_recommend] // The message above names them.
impl Target for &mut PoolConnection<Postgres> {
    fn insert<'s>(&'s mut self, new: New<'s>) -> Inserting<'s> {
        Box::pin(in_bare(new, self))
    }
}

#[diagnostic::do_not_recommend] // The message above names them.
impl Target for &mut Transaction<'_, Postgres> {
    fn insert<'s>(&'s mut self, new: New<'s>) -> Inserting<'s> {
        Box::pin(in_bare(new, self))
    }
}

#[diagnostic::do_not_recommend] // The message above names them.
impl Target for &mut Tx {
    fn insert<'s>(&'s mut self, new: New<'s>) -> Inserting<'s> {
        let client = self.client().clone();
        Box::pin(async move { in_callers(new, self, client.sql(), client.limits().notifications).await })
    }

    fn parent(&self) -> Option<(JobId, Option<&TraceContext>)> {
        Tx::parent(self)
    }

    fn max_args(&self) -> usize {
        self.client().limits().max_args
    }
}

/// Inserts on a connection of the caller's, which names no client.
async fn in_bare(new: New<'_>, connection: &mut PgConnection) -> Result<Inserted, EnqueueError> {
    check_schema()?;
    in_callers(new, connection, &statements::DEFAULT, true).await
}

/// Inserts in a caller's transaction, or on a connection of theirs.
async fn in_callers(
    new: New<'_>,
    connection: &mut PgConnection,
    sql: &Statements,
    notify: bool,
) -> Result<Inserted, EnqueueError> {
    match new {
        New::Jobs(rows) | New::AtOnce(rows) => {
            let answer = insert::insert(rows, connection, sql, In::Callers { notify }).await?;
            answer.check_room()?;
            answer.check(rows)?;
            answer.note_duplicates(rows, |_| false);
            answer.note_dropped(rows);
            sql.telemetry.observers.enqueued(rows.iter().map(AsRef::as_ref), false);
            Ok(Inserted { is_new: true, committed: false })
        }
        New::Workflow(plan) => {
            let is_new = enclosed::in_callers(plan, connection, sql, notify).await?.is_new;
            if is_new {
                sql.telemetry.observers.enqueued(plan.steps.iter().map(|step| &*step.row), false);
            }
            Ok(Inserted { is_new, committed: false })
        }
    }
}

mod sealed {
    use super::{Client, FromJob, PgConnection, PgPool, PoolConnection, Postgres, Transaction, Tx, Within};

    pub trait Sealed {}
    impl Sealed for &Client {}
    impl Sealed for FromJob<'_> {}
    impl Sealed for Within<'_> {}
    impl Sealed for &PgPool {}
    impl Sealed for &mut PgConnection {}
    impl Sealed for &mut PoolConnection<Postgres> {}
    impl Sealed for &mut Transaction<'_, Postgres> {}
    impl Sealed for &mut Tx {}
}
