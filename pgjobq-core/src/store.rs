//! What a worker says to the database: each call is one statement for a whole batch, in autocommit.

mod claim;
mod finish;
mod kept;
mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgPool};
use tokio::time::timeout;

use crate::StoreError;
use crate::client::Client;
use crate::sql::Statements;

use kept::Kept;

pub use claim::{Claim, Claimed, ClaimedJob, Peek, Peeked};
pub use finish::{Decision, Ended, Finished, LeaseUse};
pub use upkeep::{HeldLease, Promoted, Reaped};

const ANSWER_WITHIN: Duration = Duration::from_secs(5);

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
    claims: Kept,
    finishes: Kept,
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
        Ok(Self { pool, sql, shards, options, claims: Kept::default(), finishes: Kept::default() })
    }

    /// The same with connections of another runtime's.
    pub fn elsewhere(&self, connections: u32) -> Self {
        let pool = pool_options(connections).connect_lazy_with(self.options.as_ref().clone());
        Self { pool, claims: Kept::default(), finishes: Kept::default(), ..self.clone() }
    }

    /// Every shard.
    pub fn shards(&self) -> Vec<i16> {
        (0..self.shards).collect()
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.claims.give_back();
        self.finishes.give_back();
        self.pool.close().await;
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
        match timeout(ANSWER_WITHIN, options.connect()).await {
            Ok(Ok(connection)) => held.push(connection),
            Ok(Err(error)) => return error,
            Err(_) => break,
        }
    }
    sqlx::Error::PoolTimedOut
}
