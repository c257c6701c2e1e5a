//! What a worker says to the database: each call is one statement for a whole batch, in autocommit.

mod claim;
mod finish;
mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::{ConnectOptions, PgPool, Postgres};
use tokio::time::timeout;

use crate::StoreError;
use crate::client::Client;
use crate::sql::Statements;

pub use claim::{Claim, Claimed, ClaimedJob, Peek, Peeked};
pub use finish::{Decision, Ended, Finished, LeaseUse};
pub use upkeep::{HeldLease, Promoted, Reaped};

/// How long a call may take, unless told otherwise: longer than the server lets a statement run.
const ANSWER_WITHIN: Duration = Duration::from_secs(35);
/// How long a connection may take to open.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long the connections may take to close.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// How many priorities there are.
pub const PRIORITIES: usize = 4;

/// One number for each priority, the lowest first.
pub type ByPriority = [i64; PRIORITIES];

/// One shard of one queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    pub shard: i16,
    pub queue: i32,
}

/// What names a lease: the key of its row, and the id that its worker made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseKey {
    pub lane: Lane,
    pub priority: i16,
    /// Its highest ticket.
    pub hi: i64,
    pub id: i64,
}

/// A worker's way to the database, with connections of its own: however many the application's handlers take, a heartbeat
/// finds one.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    sql: Arc<Statements>,
    shards: i16,
    options: Arc<PgConnectOptions>,
    answer_within: Duration,
}

/// A connection on loan. When the call that has it is dropped, or not answered in time, it is closed: the pool would wait
/// for the answer, which may never come.
struct Lent(Option<PoolConnection<Postgres>>);

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(mut connection) = self.0.take() {
            connection.close_on_drop();
        }
    }
}

impl Store {
    /// Opens `connections` connections on the client's database.
    pub async fn connect(client: &Client, connections: u32) -> Result<Self, StoreError> {
        let shards = client.about().await?.shards;
        let options = Arc::new(own(&client.pool().connect_options()));
        let sql = Arc::clone(&client.shared().sql);
        let pool = connect(&options, connections)
            .await
            .map_err(|error| StoreError::new(error, sql.schema.as_str()))?;
        Ok(Self { pool, sql, shards, options, answer_within: ANSWER_WITHIN })
    }

    /// The same with connections of another runtime's.
    pub fn elsewhere(&self, connections: u32) -> Self {
        let pool = pool_options(connections).connect_lazy_with(self.options.as_ref().clone());
        Self { pool, ..self.clone() }
    }

    /// The same, but a connection on which a call is not answered for this long is given up.
    #[must_use]
    pub fn answer_within(self, limit: Duration) -> Self {
        Self { answer_within: limit, ..self }
    }

    /// Every shard.
    pub fn shards(&self) -> Vec<i16> {
        (0..self.shards).collect()
    }

    /// Closes the connections; those that are silent are left to the operating system.
    pub async fn close(&self) {
        if timeout(CLOSE_WITHIN, self.pool.close()).await.is_err() {
            tracing::debug!("some connections did not close in time");
        }
    }

    async fn rows(&self, query: Query<'_, Postgres, PgArguments>) -> Result<Vec<PgRow>, StoreError> {
        let mut lent = Lent(Some(self.pool.acquire().await.map_err(|error| self.error(error))?));
        let connection = lent.0.as_deref_mut().expect("it was lent just now");
        match timeout(self.answer_within, query.fetch_all(connection)).await {
            Ok(answered) => {
                drop(lent.0.take()); // Back to the pool.
                answered.map_err(|error| self.error(error))
            }
            Err(_) => Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut)),
        }
    }

    async fn row(&self, query: Query<'_, Postgres, PgArguments>) -> Result<PgRow, StoreError> {
        self.rows(query).await?.pop().ok_or(StoreError::Database(sqlx::Error::RowNotFound))
    }

    fn error(&self, error: sqlx::Error) -> StoreError {
        StoreError::new(error, self.sql.schema.as_str())
    }
}

/// The settings that our statements count on, whatever the role's defaults are.
fn own(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().application_name("pgjobq worker").options([
        ("default_transaction_isolation", "read committed"),
        ("default_transaction_read_only", "off"),
        ("statement_timeout", "30s"),
        ("lock_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "30s"),
    ])
}

fn pool_options(connections: u32) -> PgPoolOptions {
    // A broken connection is found by the statement itself, which is tried again.
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(5))
        .test_before_acquire(false)
}

async fn connect(options: &PgConnectOptions, connections: u32) -> Result<PgPool, sqlx::Error> {
    match pool_options(connections).min_connections(connections).connect_with(options.clone()).await {
        Err(sqlx::Error::PoolTimedOut) => Err(why_not(options, connections).await),
        connected => connected,
    }
}

/// Why so many connections cannot be had. A pool tries again until its time is over, and then no longer knows.
pub(crate) async fn why_not(options: &PgConnectOptions, connections: u32) -> sqlx::Error {
    let mut held = Vec::new();
    for _ in 0..connections {
        match timeout(CONNECT_WITHIN, options.connect()).await {
            Ok(Ok(connection)) => held.push(connection),
            Ok(Err(error)) => return error,
            Err(_) => break,
        }
    }
    sqlx::Error::PoolTimedOut
}
