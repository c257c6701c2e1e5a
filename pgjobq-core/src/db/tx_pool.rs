//! The connections on which transactional jobs run: a pool of their own, as large as the client's and set up like it, so
//! that they take none of the application's.
//!
//! sqlx's pool waits without a limit for the answer of a returned connection, so a connection that fell silent is
//! lost forever. Therefore the places are counted here, and a pool that has fewer than it should is replaced.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::DatabaseError;
use crate::db::open;
use crate::db::statements::Statements;
use crate::lock::lock;

/// The time that a transaction may take to begin once it has a place.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(5);

/// The time that the connections have to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The connections on which transactional jobs run.
#[derive(Debug)]
pub(crate) struct Transactions {
    like: PgPool,
    sql: Arc<Statements>,
    pool: Mutex<Current>,
    pub(crate) places: Arc<Semaphore>,
}

/// The present pool, and the number of pools before it.
#[derive(Debug, Default)]
struct Current {
    /// With the application's connect options, as they were when the pool last followed them.
    pool: Option<(PgPool, Arc<PgConnectOptions>)>,
    replaced: u64,
}

/// One or several places for transactional jobs: the right to begin as many transactions.
#[derive(Debug)]
#[doc(hidden)]
pub struct Places(OwnedSemaphorePermit);

impl Places {
    /// Returns the number of places.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.num_permits()
    }

    /// Takes one of them.
    pub fn split_one(&mut self) -> Option<Self> {
        self.0.split(1).map(Self)
    }
}

/// A transaction, and its place.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) transaction: Transaction<'static, Postgres>,
    _place: Places,
}

impl Transactions {
    pub(crate) fn new(like: PgPool, sql: Arc<Statements>) -> Self {
        let places = Arc::new(Semaphore::new(like.options().get_max_connections() as usize));
        Self { like, sql, pool: Mutex::default(), places }
    }

    /// Waits for a free place.
    pub(crate) async fn place(&self) -> Result<Places, DatabaseError> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        place.map(Places).map_err(|_| DatabaseError::PoolClosed)
    }

    /// Takes free places, at most `most`.
    pub(crate) fn take_places(&self, most: usize) -> Option<Places> {
        let count = self.places.available_permits().min(most);
        let taken = Arc::clone(&self.places).try_acquire_many_owned(u32::try_from(count).ok()?).ok()?;
        (count > 0).then_some(Places(taken))
    }

    /// Begins a transaction in this place.
    pub(crate) async fn begin(&self, statement: String, place: Places) -> Result<Begun, DatabaseError> {
        let (pool, replaced) = self.pool();
        let begun = match timeout(BEGIN_TIMEOUT, pool.begin_with(AssertSqlSafe(statement.clone()))).await {
            Err(_) | Ok(Err(sqlx::Error::PoolTimedOut)) => {
                // Connections are missing, or the database does not answer; then a new pool does no harm.
                self.replace(replaced);
                let (pool, _) = self.pool();
                let again = timeout(BEGIN_TIMEOUT, pool.begin_with(AssertSqlSafe(statement))).await;
                again.map_err(|_| DatabaseError::Unanswered { after: BEGIN_TIMEOUT })?
            }
            Ok(begun) => begun,
        };
        let transaction = begun.map_err(|error| DatabaseError::new(error, self.sql.schema.as_str()))?;
        Ok(Begun { transaction, _place: place })
    }

    /// Closes the idle connections, and the others as their transactions end; silent ones are left.
    pub(crate) async fn close(&self) {
        self.places.close();
        let pool = self.lock().pool.take();
        if let Some((pool, _)) = pool {
            let _ = timeout(CLOSE_TIMEOUT, pool.close()).await;
        }
    }

    fn pool(&self) -> (PgPool, u64) {
        let mut current = self.lock();
        let replaced = current.replaced;
        let (pool, options) = current.pool.get_or_insert_with(|| {
            let options = self.like.connect_options();
            let like = open::like(&self.like).acquire_timeout(BEGIN_TIMEOUT);
            (like.connect_lazy_with(options.as_ref().clone()), options)
        });
        open::follow(pool, &self.like, options);
        (pool.clone(), replaced)
    }

    /// Drops the pool with this number of predecessors. Several callers may find it too small; only the first one
    /// drops it.
    fn replace(&self, replaced: u64) {
        let mut current = self.lock();
        if current.replaced == replaced {
            tracing::debug!("the pool of transactional jobs is replaced");
            *current = Current { pool: None, replaced: replaced + 1 };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        lock(&self.pool)
    }
}
