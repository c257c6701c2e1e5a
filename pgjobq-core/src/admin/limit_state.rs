//! The limits of the whole fleet, and how full they are.

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::DatabaseError;
use crate::admin::limit_scope::LimitScope;
use crate::client::Client;

/// A limit over the whole fleet at one moment: from [`Client::fleet_limits`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitState {
    /// The jobs that it limits: those of a kind, or of a queue.
    pub scope: LimitScope,
    /// The name of the kind or the queue.
    pub name: String,
    /// True if it holds for each key of the kind. Then the numbers are those of all keys together.
    pub per_key: bool,
    /// The number of jobs that are in line or run at most; `None` if it is limited otherwise.
    pub concurrency: Option<u32>,
    /// The jobs that are in line, run, or hold their place.
    pub permits: u64,
    /// The rates, as text, such as `100 per minute`; `None` if it has none.
    pub rates: Option<String>,
    /// For each of the rates: the number of jobs that may start now. Of the keys of a kind it is that of the key which has the least left.
    pub rates_left: Vec<u64>,
    /// The due jobs that wait for a permit or for the next start.
    pub waiting: u64,
    /// True if these numbers are exact. At most ten thousand of each are counted in a shard.
    pub exact: bool,
}

impl Client {
    /// Returns the limits of kinds and queues over the whole fleet, and how full they are.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn fleet_limits(&self) -> Result<Vec<LimitState>, DatabaseError> {
        let shared = self.shared();
        let rows = shared.read(&shared.sql.fleet_limits, &[]).await?;
        rows.iter().map(LimitState::read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
    }
}

impl LimitState {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let count = |name| row.try_get::<i64, _>(name).map(i64::unsigned_abs);
        let left: Option<Vec<i64>> = row.try_get("rates_left")?;
        Ok(Self {
            scope: match row.try_get("scope")? {
                "kind" => LimitScope::Kind,
                "queue" => LimitScope::Queue,
                _ => LimitScope::Other,
            },
            name: row.try_get("name")?,
            per_key: row.try_get("per_key")?,
            concurrency: row.try_get::<Option<i32>, _>("concurrency")?.map(i32::unsigned_abs),
            permits: count("permits")?,
            rates: row.try_get("rates")?,
            rates_left: left.unwrap_or_default().into_iter().map(i64::unsigned_abs).collect(),
            waiting: count("waiting")?,
            exact: row.try_get("exact")?,
        })
    }
}
