//! The pool, the statements and the limits that a client and its background tasks share.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::DatabaseError;
use crate::db::answers::Answers;
use crate::db::installed::About;
use crate::db::kept::KeptConnection;
use crate::db::local_workers::LocalWorkers;
use crate::db::statements::Statements;
use crate::db::tx_pool::Transactions;
use crate::observe::observer::Observers;

/// The time that observers have for the last events.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);

/// The pool, the statements and the limits that a client and its background tasks share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) pool: PgPool,
    pub(crate) kept: KeptConnection,
    /// The address to listen at, if it is not the pool's.
    pub(crate) listen: Option<PgConnectOptions>,
    pub(crate) sql: Arc<Statements>,
    pub(crate) limits: Limits,
    pub(crate) about: OnceCell<About>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    pub(crate) transactions: Transactions,
    pub(crate) answers: Arc<Answers>,
    /// Held by the one caller that asks whether the database is away.
    pub(crate) asking: Mutex<()>,
    pub(crate) local_workers: LocalWorkers,
    /// The look-ups of ended jobs for observers. It is closed, which only lets others wait for it.
    pub(crate) ends: TaskTracker,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_args: usize,
    pub(crate) enqueue_timeout: Duration,
    pub(crate) notifications: bool,
    /// The number of shards that the first migration creates; `None` accepts any number.
    pub(crate) shards: Option<i16>,
}

impl Shared {
    pub(crate) async fn about(&self) -> Result<&About, DatabaseError> {
        let read = async || {
            let rows = self.rows(sqlx::query(self.sql.about.clone())).await?;
            About::of(rows.into_iter().next(), &self.sql)
        };
        self.about.get_or_try_init(read).await
    }

    /// Returns those who observe what this process does.
    pub(crate) fn observers(&self) -> &Observers {
        &self.sql.telemetry.observers
    }

    /// Waits until observers and hooks have seen everything that happened before; a while at most, because one may block.
    pub(crate) async fn delivered(&self) {
        let delivered = async {
            self.ends.wait().await;
            self.sql.telemetry.delivered().await;
        };
        if timeout(DELIVERY_TIMEOUT, delivered).await.is_err() {
            tracing::warn!(timeout = ?DELIVERY_TIMEOUT, "an observer did not take the last events in time");
        }
    }

    pub(crate) fn error(&self, error: sqlx::Error) -> DatabaseError {
        DatabaseError::new(error, self.sql.schema.as_str())
    }
}
