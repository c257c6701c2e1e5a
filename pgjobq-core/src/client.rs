//! The client: enqueues, waits, and owns what a process shares.

mod for_workers;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::sync::{Mutex, OnceCell};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::chain::cause;
use crate::db::answers::Answers;
use crate::db::client_schemas::CLIENT_SCHEMAS;
use crate::db::installed::About;
use crate::db::kept::KeptConnection;
use crate::db::listen::Listener;
use crate::db::local_workers::LocalWorkers;
use crate::db::notifier::Notifier;
use crate::db::open;
use crate::db::schema::{InvalidSchema, Schema};
use crate::db::shared::{Limits, Shared};
use crate::db::statements::Statements;
use crate::db::tx_pool::Transactions;
use crate::db::wake_ups::WakeUps;
use crate::enqueue::coalesce::Coalesce;
use crate::enqueue::deliver::Sender;
use crate::enqueue::inserted::Inserted;
use crate::enqueue::new::New;
use crate::enqueue::room::Rooms;
use crate::enqueue::row::{MAX_ARGS, without};
use crate::enqueue::sending::Sending;
use crate::observe::telemetry::{Receiving, Telemetry};
use crate::observe::{ExplainSampler, Observer, TelemetryHook};
use crate::wait::waits::Waits;
use crate::workflow::deliver::deliver;
use crate::{DatabaseError, EnqueueError};

/// The default limit of an enqueue through a client or a pool.
pub(crate) const ENQUEUE_TIMEOUT: Duration = Duration::from_secs(30);
/// Longer than any limit that makes sense. An `Instant` cannot be arbitrarily far away.
const MAX_ENQUEUE_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// The time that a client tries to reach its database at first, because it may just be starting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest number of shards. The schema has the same limit.
const MAX_SHARDS: i16 = 1024;

/// A client of the jobs in one database: enqueues, waits, and migrates. Cheap to clone; make one per process.
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
    wake_ups: WakeUps,
    sender: Sender,
    coalesce: Coalesce,
    rooms: Rooms,
    waits: Waits,
    listener: Listener,
    #[cfg(feature = "testing")]
    inline: crate::testing::Inline,
    /// Stops the background tasks when the last clone of the client is dropped.
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
#[must_use = "finish with `build()`"]
pub struct ClientBuilder {
    pool: PgPool,
    listen: Option<Result<PgConnectOptions, sqlx::Error>>,
    schema: String,
    limits: Limits,
    shards: Option<u16>,
    pub(crate) telemetry: Receiving,
}

/// The error of building a client: from [`ClientBuilder::build`].
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The name of the schema is invalid.
    #[error(transparent)]
    Schema(#[from] InvalidSchema),
    /// The `listen_url` is not an address.
    #[error(
        "the `listen_url` is not the address of a database, which is like postgres://user:password@host/name: {}",
        cause(.0)
    )]
    ListenUrl(sqlx::Error),
    /// The number of shards is out of range.
    #[error(
        "a database has 1 to 1024 shards, and cannot have {0}: leave `.shards(…)` out unless it is distributed"
    )]
    Shards(u16),
}

crate::debug_as_message!(ClientError);

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ClientBuilder").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// Sets the PostgreSQL schema of all tables and functions; `pgjobq` by default.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// Sets the largest size of one job's arguments, in bytes of JSON as PostgreSQL prints it; 1 MiB by default.
    ///
    /// PostgreSQL prints numbers without exponents (`1e308` with 309 digits), and a space after each comma and colon.
    pub fn max_args(mut self, bytes: usize) -> Self {
        self.limits.max_args = bytes;
        self
    }

    /// Sets the time that one enqueue through this client may take, including all tries; 30 seconds by default.
    ///
    /// Within this time the client waits for a connection, survives a restart of the database, and sends a job again
    /// whose answer was lost. After it the enqueue fails with [`EnqueueError::TimedOut`] if a statement was not
    /// answered, or else with the last error. If all connections of the pool are in use it fails with
    /// [`DatabaseError::NoConnection`] after the pool's `acquire_timeout`, without another try.
    /// [`enqueue_all`](crate::enqueue_all) has this time for each statement of at most a thousand jobs. An enqueue on
    /// a caller's own connection or transaction has no limit of ours.
    pub fn enqueue_timeout(mut self, limit: Duration) -> Self {
        self.limits.enqueue_timeout = limit;
        self
    }

    /// Sets the address to listen at for notifications, if it is not the pool's: past a transaction-mode pooler,
    /// because no client can listen through one. It must lead to the same database. If the client cannot reach it, it
    /// logs a warning and works without notifications.
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

    /// Sets whether to use notifications; true by default. Without them everything works, one poll later. Turn them
    /// off for databases and poolers that lack them.
    pub fn notifications(mut self, on: bool) -> Self {
        self.limits.notifications = on;
        self
    }

    /// Sets the number of shards that the first migration creates, 1 to 1024; the default of 1 is right unless the
    /// database is distributed.
    pub fn shards(mut self, shards: u16) -> Self {
        self.shards = Some(shards);
        self
    }

    /// Adds an observer of what this process does: see [`observe`](crate::observe). There may be several.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.telemetry.observers.push(Box::new(observer));
        self
    }

    /// Adds a hook that sees each statement which this process sends. There may be several.
    pub fn telemetry_hook(mut self, hook: impl TelemetryHook) -> Self {
        self.telemetry.hooks.push(Box::new(hook));
        self
    }

    /// Samples plans of the statements that this process sends.
    pub fn explain_sampler(mut self, sampler: ExplainSampler) -> Self {
        self.telemetry.sampler = Some(sampler);
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
        let listen = self.listen.transpose().map_err(ClientError::ListenUrl)?;
        let telemetry = Telemetry::start(self.telemetry);
        let answers = Arc::new(Answers::new(telemetry.observers.clone()));
        let sql = Arc::new(Statements { telemetry, ..Statements::new(&schema) });
        let ends = TaskTracker::new();
        ends.close();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let shared = Arc::new(Shared {
            kept: KeptConnection::new(self.pool.clone(), stop.clone(), tasks.clone()),
            asking: Mutex::default(),
            transactions: Transactions::new(self.pool.clone(), Arc::clone(&sql)),
            answers,
            local_workers: LocalWorkers::default(),
            ends,
            pool: self.pool,
            listen,
            sql,
            limits: Limits { shards, ..self.limits },
            about: OnceCell::new(),
            stop: stop.clone(),
            tasks,
        });
        CLIENT_SCHEMAS.record(&schema); // Nothing fails from here on: a client that was not built must not count.
        let listener = Listener::new(Arc::clone(&shared));
        let notifier = Notifier::new(Arc::clone(&shared));
        let wake_ups = WakeUps::new(Arc::clone(&shared), notifier.clone());
        let sender = Sender::new(Arc::clone(&shared), wake_ups.clone());
        let inner = Inner {
            notifier,
            wake_ups,
            coalesce: Coalesce::new(Arc::clone(&shared), sender.clone()),
            rooms: Rooms::new(Arc::clone(&shared), sender.clone(), listener.clone()),
            sender,
            waits: Waits::new(Arc::clone(&shared), listener.clone()),
            listener,
            #[cfg(feature = "testing")]
            inline: crate::testing::Inline::default(),
            shared,
            _stop: stop.drop_guard(),
        };
        Ok(Client { inner: Arc::new(inner) })
    }
}

impl Client {
    /// Connects with a pool of its own, of up to ten connections.
    ///
    /// # Errors
    ///
    /// [`DatabaseError::Address`] at once, if the URL is not like `postgres://user:password@host/name`; and
    /// [`DatabaseError::Unavailable`], if the database cannot be reached for ten seconds: it may just be starting.
    pub async fn connect(url: &str) -> Result<Self, DatabaseError> {
        let options = parse_address(url).map_err(|error| DatabaseError::new(error, "pgjobq"))?;
        let wrong = |error| DatabaseError::new(error, "pgjobq").at(&options);
        let pool = PgPoolOptions::new().acquire_timeout(CONNECT_TIMEOUT);
        match pool.connect_with(options.clone()).await {
            Ok(pool) => Ok(Self::new(pool)),
            Err(sqlx::Error::PoolTimedOut) => {
                Err(wrong(open::refusal(&options).await.unwrap_or(sqlx::Error::PoolTimedOut)))
            }
            Err(error) => Err(wrong(error)),
        }
    }

    /// Returns a client on the application's pool.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self::builder(pool).build().expect("the default schema is a valid name")
    }

    /// Returns a builder of a client with options, on the application's pool.
    pub fn builder(pool: PgPool) -> ClientBuilder {
        let limits = Limits {
            max_args: MAX_ARGS,
            enqueue_timeout: ENQUEUE_TIMEOUT,
            notifications: true,
            shards: None,
        };
        ClientBuilder {
            pool,
            listen: None,
            schema: "pgjobq".to_owned(),
            limits,
            shards: None,
            telemetry: Receiving::default(),
        }
    }

    /// The pool.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.inner.shared.pool
    }

    /// Stops the client's background tasks, and waits until they have stopped. Pending enqueues are answered, or fail
    /// with [`EnqueueError::Closed`]. Observers have then seen everything that happened, unless one blocks for more than five
    /// seconds. The pool stays open.
    pub async fn close(&self) {
        self.inner.shared.stop.cancel();
        self.inner.shared.tasks.close();
        self.inner.shared.transactions.close().await; // First: there may be tasks that wait for a place.
        self.inner.shared.tasks.wait().await;
        self.inner.listener.join().await;
        self.inner.shared.delivered().await;
    }

    /// Enqueues jobs, a single one together with those of other callers, or a workflow.
    pub(crate) async fn insert(&self, new: New<'_>) -> Result<Inserted, EnqueueError> {
        // In a box, because the future is deep, and callers' futures around it meet the compiler's limit of depth.
        let inserted = Box::pin(self.send(new)).await?;
        #[cfg(feature = "testing")]
        self.inner.inline.enqueued().await;
        Ok(inserted)
    }

    async fn send(&self, new: New<'_>) -> Result<Inserted, EnqueueError> {
        if self.inner.shared.stop.is_cancelled() {
            return Err(EnqueueError::Closed);
        }
        let limit = self.limits().enqueue_timeout.min(MAX_ENQUEUE_TIMEOUT);
        let Inner { shared, coalesce, sender, rooms, wake_ups, .. } = &*self.inner;
        let waits = !matches!(new, New::AtOnce(_));
        let sending = Sending { shared, coalesce, sender, rooms, wake_ups, limit, waits };
        match new {
            New::Jobs(rows) | New::AtOnce(rows) => {
                let observers = self.observers();
                let all = if observers.listen() { rows.clone() } else { Vec::new() };
                let sent = sending.send(rows).await;
                let enqueued = if sent.is_ok() { all } else { without(&all, rows) };
                observers.enqueued(enqueued.iter().map(AsRef::as_ref), true);
                sent?;
                Ok(Inserted { is_new: true, committed: true })
            }
            New::Workflow(plan) => {
                let is_new = deliver(shared, wake_ups, plan, Instant::now() + limit).await?;
                if is_new {
                    self.observers().enqueued(plan.steps.iter().map(|step| &*step.row), true);
                }
                Ok(Inserted { is_new, committed: true })
            }
        }
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
}

fn checked_shards(shards: u16) -> Result<i16, ClientError> {
    let checked = i16::try_from(shards).ok().filter(|shards| (1..=MAX_SHARDS).contains(shards));
    checked.ok_or(ClientError::Shards(shards))
}

/// Parses the address of a database. sqlx takes any scheme for its own, and `localhost:5432` for an address of the scheme
/// `localhost`.
pub(crate) fn parse_address(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return url.parse();
    }
    Err(sqlx::Error::Configuration("it does not begin with postgres://".into()))
}
