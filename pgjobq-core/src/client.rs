//! The client: enqueues, waits, and looks after what a process shares.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::sync::{OnceCell, broadcast};
use tokio::time::timeout_at;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::db::answers::Answers;
use crate::db::client_schemas::CLIENT_SCHEMAS;
use crate::db::installed::About;
use crate::db::listen::{Listener, Signal};
use crate::db::notifier::Notifier;
use crate::db::open;
use crate::db::schema::{InvalidSchema, Schema};
use crate::db::shared::{Limits, Shared};
use crate::db::statements::Statements;
use crate::db::tx_pool::Transactions;
use crate::enqueue::coalesce::Coalesce;
use crate::enqueue::deliver::Sender;
use crate::enqueue::row::{MAX_ARGS, Row};
use crate::wait::waits::Waits;
use crate::{DatabaseError, EnqueueError};

/// The limit of an enqueue through a client or a pool, unless the client has another.
pub(crate) const ENQUEUE_TIMEOUT: Duration = Duration::from_secs(30);
/// More than any limit that somebody means. An `Instant` cannot be arbitrarily far away.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// How long a client tries to reach its database at first: it may just be starting.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// The largest number of shards. The schema has the same limit.
const MAX_SHARDS: i16 = 1024;

/// The way to the jobs in one database: enqueues, waits, and migrates. Cheap to clone; make one per process.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use pgjobq::Client;
///
/// let client = Client::connect("postgres://localhost/app").await?; // Or Client::new(pool), on a pool that is there.
/// client.migrate().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    notifier: Notifier,
    sender: Sender,
    coalesce: Coalesce,
    waits: Waits,
    listener: Listener,
    /// Tells the background tasks to stop when the last clone of the client is gone.
    _stop: DropGuard,
}

/// Options of a [`Client`], from [`Client::builder`].
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # fn example(pool: sqlx::PgPool) -> Result<(), pgjobq::ClientError> {
/// use pgjobq::Client;
///
/// let client = Client::builder(pool).schema("background").max_args(64 << 10).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "finish with `build()`"]
pub struct ClientBuilder {
    pool: PgPool,
    listen: Option<Result<PgConnectOptions, sqlx::Error>>,
    schema: String,
    limits: Limits,
    shards: Option<u16>,
}

/// Why a client cannot be as it was asked for: from [`ClientBuilder::build`].
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No schema has this name.
    #[error(transparent)]
    Schema(#[from] InvalidSchema),
    /// The `listen_url` is no address.
    #[error(
        "the `listen_url` is not the address of a database, which is like postgres://user:password@host/name"
    )]
    ListenUrl(#[source] sqlx::Error),
    /// The number of shards is out of range.
    #[error(
        "a database has 1 to 1024 shards, and cannot have {0}: leave `.shards(…)` out unless it is distributed"
    )]
    Shards(u16),
}

crate::debug_as_message!(ClientError);

impl ClientBuilder {
    /// The PostgreSQL schema for everything of pgjobq's; `pgjobq` by default.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// The largest arguments of one job, in bytes of JSON as PostgreSQL prints it; 1 MiB by default.
    ///
    /// PostgreSQL prints numbers without exponents (`1e308` with 309 digits), and a space after each comma and colon.
    pub fn max_args(mut self, bytes: usize) -> Self {
        self.limits.max_args = bytes;
        self
    }

    /// The time that one enqueue through this client may take, all tries included; 30 seconds by default.
    ///
    /// Within this time the client waits for a connection, rides out a restart of the database, and sends a job again whose
    /// answer was lost. After it the enqueue fails: with [`EnqueueError::TimedOut`] if a statement is not answered, or else
    /// with the last error. If all connections of the pool are in use it fails with [`DatabaseError::NoConnection`] when the pool's
    /// `acquire_timeout` is over, and does not try again. [`enqueue_all`](crate::enqueue_all) has
    /// this time for each statement of up to a thousand jobs. An enqueue on a caller's own connection or transaction has no
    /// limit of ours.
    pub fn enqueue_timeout(mut self, limit: Duration) -> Self {
        self.limits.enqueue_timeout = limit;
        self
    }

    /// Where to listen for notifications, if not where the pool is connected to: past a pooler in transaction mode,
    /// through which nobody can listen. It is the address of the same database. One that cannot be reached costs
    /// notifications and nothing else, and is warned of in the log.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use pgjobq::Client;
    ///
    /// let pool = sqlx::PgPool::connect("postgres://pooler:6432/app").await?;
    /// let client = Client::builder(pool).listen_url("postgres://database:5432/app").build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn listen_url(mut self, url: &str) -> Self {
        self.listen = Some(parse_address(url));
        self
    }

    /// Whether to use notifications; true by default. Without them everything still works, one poll later: for databases
    /// and poolers that lack them.
    pub fn notifications(mut self, on: bool) -> Self {
        self.limits.notifications = on;
        self
    }

    /// How many shards the first migration makes, 1 to 1024; 1 by default, and right unless the database is distributed.
    pub fn shards(mut self, shards: u16) -> Self {
        self.shards = Some(shards);
        self
    }

    /// Makes the client. It sends nothing yet.
    ///
    /// # Errors
    ///
    /// [`ClientError`], if the schema's name, the `listen_url` or the number of shards is invalid.
    pub fn build(self) -> Result<Client, ClientError> {
        let schema = Schema::new(self.schema)?;
        let shards = self.shards.map(checked_shards).transpose()?;
        CLIENT_SCHEMAS.record(&schema);
        let sql = Arc::new(Statements::new(&schema));
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            transactions: Transactions::new(self.pool.clone(), Arc::clone(&sql)),
            answers: Arc::default(),
            pool: self.pool,
            listen: self.listen.transpose().map_err(ClientError::ListenUrl)?,
            sql,
            limits: Limits { shards, ..self.limits },
            about: OnceCell::new(),
            stop: stop.clone(),
            tasks: TaskTracker::new(),
        });
        let listener = Listener::new(Arc::clone(&shared));
        let notifier = Notifier::new(Arc::clone(&shared));
        let sender = Sender::new(Arc::clone(&shared), notifier.clone());
        let inner = Inner {
            notifier,
            coalesce: Coalesce::new(Arc::clone(&shared), sender.clone()),
            sender,
            waits: Waits::new(Arc::clone(&shared), listener.clone()),
            listener,
            shared,
            _stop: stop.drop_guard(),
        };
        Ok(Client { inner: Arc::new(inner) })
    }
}

impl Client {
    /// A client with a pool of its own, of up to ten connections.
    ///
    /// # Errors
    ///
    /// [`DatabaseError::Address`] at once, if the URL is not like `postgres://user:password@host/name`; and
    /// [`DatabaseError::Unavailable`], if the database cannot be reached for ten seconds: it may just be starting.
    pub async fn connect(url: &str) -> Result<Self, DatabaseError> {
        let wrong = |error| DatabaseError::new(error, "pgjobq");
        let options = parse_address(url).map_err(wrong)?;
        let pool = PgPoolOptions::new().acquire_timeout(CONNECT_WITHIN);
        match pool.connect_with(options.clone()).await {
            Ok(pool) => Ok(Self::new(pool)),
            Err(sqlx::Error::PoolTimedOut) => {
                Err(wrong(open::refusal(&options).await.unwrap_or(sqlx::Error::PoolTimedOut)))
            }
            Err(error) => Err(wrong(error)),
        }
    }

    /// A client on the pool that the application has.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self::builder(pool).build().expect("the default schema is a valid name")
    }

    /// A client with options, on the pool that the application has.
    pub fn builder(pool: PgPool) -> ClientBuilder {
        let limits = Limits {
            max_args: MAX_ARGS,
            enqueue_timeout: ENQUEUE_TIMEOUT,
            notifications: true,
            shards: None,
        };
        ClientBuilder { pool, listen: None, schema: "pgjobq".to_owned(), limits, shards: None }
    }

    /// The pool.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.inner.shared.pool
    }

    /// Stops what the client runs in the background, and waits until it has stopped. Whoever waits for an enqueue is answered,
    /// or told that the client was closed. The pool stays open.
    pub async fn close(&self) {
        self.inner.shared.stop.cancel();
        self.inner.shared.tasks.close();
        self.inner.shared.transactions.close().await; // First: there may be tasks that wait for a place.
        self.inner.shared.tasks.wait().await;
        self.inner.listener.join().await;
    }

    /// Enqueues jobs, a single one together with those of other callers. Returns the number of new jobs.
    pub(crate) async fn insert(&self, rows: &mut Vec<Arc<Row>>) -> Result<u64, EnqueueError> {
        if self.inner.shared.stop.is_cancelled() {
            return Err(EnqueueError::Closed);
        }
        let limit = self.limits().enqueue_timeout;
        let deadline = Instant::now() + limit.min(FOREVER);
        let [row] = rows.as_slice() else { return self.inner.sender.deliver(rows, None, deadline).await };
        let one = self.inner.coalesce.enqueue(Arc::clone(row), deadline);
        timeout_at(deadline.into(), one).await.unwrap_or_else(|_| {
            let source = self.inner.shared.exhausted(limit);
            Err(EnqueueError::TimedOut { limit, maybe_enqueued: true, source })
        })
    }

    pub(crate) async fn about(&self) -> Result<&About, DatabaseError> {
        self.shared().about().await
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    pub(crate) fn sql(&self) -> &Statements {
        &self.inner.shared.sql
    }

    pub(crate) fn limits(&self) -> Limits {
        self.inner.shared.limits
    }

    pub(crate) fn waits(&self) -> &Waits {
        &self.inner.waits
    }

    /// Everything that the listener hears from now on.
    #[doc(hidden)]
    #[must_use]
    pub fn signals(&self) -> broadcast::Receiver<Signal> {
        self.inner.listener.subscribe()
    }

    /// Sends notifications.
    #[doc(hidden)]
    #[must_use]
    pub fn notifications(&self) -> Notifier {
        self.inner.notifier.clone()
    }

    /// Signals when the database has answered anybody in this process.
    #[doc(hidden)]
    #[must_use]
    pub fn answers(&self) -> Arc<Answers> {
        Arc::clone(&self.inner.shared.answers)
    }

    #[doc(hidden)]
    #[must_use]
    pub fn uses_notifications(&self) -> bool {
        self.limits().notifications
    }
}

fn checked_shards(shards: u16) -> Result<i16, ClientError> {
    let checked = i16::try_from(shards).ok().filter(|shards| (1..=MAX_SHARDS).contains(shards));
    checked.ok_or(ClientError::Shards(shards))
}

/// Parses the address of a database. sqlx takes any scheme for its own, and `localhost:5432` for an address of the scheme
/// `localhost`.
fn parse_address(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return url.parse();
    }
    Err(sqlx::Error::Configuration("it does not begin with postgres://".into()))
}
