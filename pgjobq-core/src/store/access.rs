//! A worker's access to the database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Execute, Postgres};
use tokio::time::timeout;

use crate::DatabaseError;
use crate::client::Client;
use crate::db::answers::{Answers, Source};
use crate::db::ids::Shard;
use crate::db::pooler;
use crate::db::query::acquire;
use crate::db::statements::Statements;
use crate::db::watch::Sender;
use crate::store::accepted::AcceptedJobs;
use crate::store::connections::Connections;

/// The default timeout of a call: longer than the server lets a statement run.
const CALL_TIMEOUT: Duration = Duration::from_secs(35);

/// A worker's access to the database, on connections of its own: however many the application's handlers use, a
/// heartbeat has one.
#[derive(Clone, Debug)]
pub struct Store {
    connections: Arc<Connections>,
    pub(super) sql: Arc<Statements>,
    pub(super) shards: i16,
    answer_within: Duration,
    answers: Arc<Answers>,
    /// The name of the worker, for hooks.
    worker: Arc<str>,
    /// The jobs that its claims and looks accept; `None` for all.
    pub(super) filter: Option<Arc<AcceptedJobs>>,
    /// The digests of the schedules that the code of its worker declares.
    pub(super) declared: Arc<[String]>,
}

/// The error of opening a worker's connections.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("a pooler in transaction mode")]
    Pooler,
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Store {
    /// Opens connections to the client's database, and fails if a pooler shares them with others.
    pub async fn connect(client: &Client, connections: u32) -> Result<Self, ConnectError> {
        let sql = Arc::clone(&client.shared().sql);
        // The database may just be starting: a pool waits for it.
        drop(acquire(client.pool(), sql.schema.as_str()).await?);
        let connections = Connections::new(client.pool().clone(), Arc::clone(&sql), connections);
        let connections = Arc::new(connections);
        let mut opened = connections.open().await?;
        // Checked before any setting or prepared statement could reach others through a pooler.
        if pooler::is_between(&mut opened.iter_mut().collect::<Vec<_>>(), &sql).await? {
            return Err(ConnectError::Pooler);
        }
        connections.keep(opened).await?;
        let shards = client.about().await?.shards;
        let answers = Arc::clone(&client.shared().answers);
        let worker = "".into();
        let (filter, declared) = (None, Arc::default());
        Ok(Self { connections, sql, shards, answer_within: CALL_TIMEOUT, answers, worker, filter, declared })
    }

    /// Returns the same access with other connections, for another runtime.
    pub fn elsewhere(&self, connections: u32) -> Self {
        Self { connections: Arc::new(self.connections.elsewhere(connections)), ..self.clone() }
    }

    /// Returns the same access with another timeout. A connection on which a call is not answered in this time is
    /// closed.
    #[must_use]
    pub fn answer_within(self, limit: Duration) -> Self {
        Self { answer_within: limit, ..self }
    }

    /// Returns the same access, for a worker of this name.
    #[must_use]
    pub fn named(self, worker: &str) -> Self {
        Self { worker: worker.into(), ..self }
    }

    /// Returns the same access, with claims and looks that pass over all other jobs.
    #[must_use]
    pub fn accept(self, accepted: Option<AcceptedJobs>) -> Self {
        Self { filter: accepted.map(Arc::new), ..self }
    }

    /// Returns the same access, for a worker whose code declares the schedules with these digests.
    #[must_use]
    pub fn declare(self, schedules: Vec<String>) -> Self {
        Self { declared: schedules.into(), ..self }
    }

    /// Returns whether this worker leaves some jobs to others.
    pub fn has_filter(&self) -> bool {
        self.filter.is_some()
    }

    /// Returns the filter of its claims, as a jsonpath, and whether it needs columns.
    pub(super) fn filter_arguments(&self) -> (Option<&str>, bool) {
        self.filter.as_deref().map_or((None, false), |filter| (Some(&filter.path), filter.needs_columns))
    }

    /// Returns all shards.
    pub fn shards(&self) -> Vec<Shard> {
        (0..self.shards).map(Shard).collect()
    }

    /// Closes the connections; silent ones are left to the operating system.
    pub async fn close(&self) {
        self.connections.close().await;
    }

    pub(super) async fn rows<'q>(
        &self,
        query: impl Execute<'q, Postgres> + 'q,
    ) -> Result<Vec<PgRow>, DatabaseError> {
        let attempt = Source::Attempt { began: Instant::now() };
        let mut lent = self.connections.lend().await.map_err(|error| self.failed(error, attempt))?;
        let worked = lent.opened_at();
        let connection = Source::Connection { worked };
        let sender = Sender { worker: Some(&self.worker), alone: true };
        let answered = timeout(self.answer_within, self.sql.rows(lent.connection(), query, sender)).await;
        let Ok(answered) = answered else {
            return Err(self.failed(DatabaseError::Unanswered { after: self.answer_within }, connection));
        };
        match answered {
            Ok(rows) => {
                lent.give_back();
                self.answers.note(worked);
                Ok(rows)
            }
            Err(error) => {
                // After an error of the server the connection can be used again; after another one it may be in the middle of
                // an answer.
                if error.as_database_error().is_some() {
                    lent.give_back();
                }
                Err(self.failed(self.error(error), connection))
            }
        }
    }

    /// Takes note of an error that may be that of the connection.
    fn failed(&self, error: DatabaseError, failed: Source) -> DatabaseError {
        self.answers.note_error(&error, failed);
        error
    }

    pub(super) async fn row(&self, query: Query<'_, Postgres, PgArguments>) -> Result<PgRow, DatabaseError> {
        self.rows(query).await?.pop().ok_or(DatabaseError::Refused(sqlx::Error::RowNotFound))
    }

    pub(super) fn error(&self, error: sqlx::Error) -> DatabaseError {
        DatabaseError::new(error, self.sql.schema.as_str())
    }
}
