//! A worker's access to the database.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use tokio::time::timeout;

use crate::DatabaseError;
use crate::client::Client;
use crate::db::answers::Answers;
use crate::db::ids::Shard;
use crate::db::pooler;
use crate::db::query::acquire;
use crate::db::statements::Statements;
use crate::store::connections::Connections;

/// How long a call may take, unless told otherwise: longer than the server lets a statement run.
const ANSWER_WITHIN: Duration = Duration::from_secs(35);

/// A worker's way to the database, with connections of its own: however many the application's handlers take, a heartbeat
/// finds one.
#[derive(Clone, Debug)]
pub struct Store {
    connections: Arc<Connections>,
    pub(super) sql: Arc<Statements>,
    pub(super) shards: i16,
    answer_within: Duration,
    answers: Arc<Answers>,
}

/// Why a worker has no connections.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("a pooler in transaction mode")]
    Pooler,
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Store {
    /// Opens `connections` connections on the client's database, if they are the worker's alone.
    pub async fn connect(client: &Client, connections: u32) -> Result<Self, ConnectError> {
        let sql = Arc::clone(&client.shared().sql);
        // The database may just be starting: a pool waits for it.
        drop(acquire(client.pool(), sql.schema.as_str()).await?);
        let connections = Connections::new(client.pool().clone(), Arc::clone(&sql), connections);
        let connections = Arc::new(connections);
        let mut opened = connections.open().await?;
        // Before anything is set or prepared on them, which would be others' to stumble over.
        if pooler::is_between(&mut opened.iter_mut().collect::<Vec<_>>(), &sql).await? {
            return Err(ConnectError::Pooler);
        }
        connections.keep(opened).await?;
        let shards = client.about().await?.shards;
        let answers = Arc::clone(&client.shared().answers);
        Ok(Self { connections, sql, shards, answer_within: ANSWER_WITHIN, answers })
    }

    /// The same with connections of another runtime's.
    pub fn elsewhere(&self, connections: u32) -> Self {
        Self { connections: Arc::new(self.connections.elsewhere(connections)), ..self.clone() }
    }

    /// The same, but a connection on which a call is not answered for this long is given up.
    #[must_use]
    pub fn answer_within(self, limit: Duration) -> Self {
        Self { answer_within: limit, ..self }
    }

    /// Every shard.
    pub fn shards(&self) -> Vec<Shard> {
        (0..self.shards).map(Shard).collect()
    }

    /// Closes the connections; those that are silent are left to the operating system.
    pub async fn close(&self) {
        self.connections.close().await;
    }

    pub(super) async fn rows(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, DatabaseError> {
        let mut lent = self.connections.lend().await?;
        let answered = timeout(self.answer_within, query.fetch_all(lent.connection())).await;
        let Ok(answered) = answered else {
            return Err(DatabaseError::Unanswered { after: self.answer_within });
        };
        match answered {
            Ok(rows) => {
                lent.give_back();
                self.answers.note();
                Ok(rows)
            }
            Err(error) => {
                // After an error of the server the connection can be used again; after another one it may be in the middle of
                // an answer.
                if error.as_database_error().is_some() {
                    lent.give_back();
                }
                Err(self.error(error))
            }
        }
    }

    pub(super) async fn row(&self, query: Query<'_, Postgres, PgArguments>) -> Result<PgRow, DatabaseError> {
        self.rows(query).await?.pop().ok_or(DatabaseError::Refused(sqlx::Error::RowNotFound))
    }

    pub(super) fn error(&self, error: sqlx::Error) -> DatabaseError {
        DatabaseError::new(error, self.sql.schema.as_str())
    }
}
