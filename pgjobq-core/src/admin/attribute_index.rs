//! Indexes by attribute: built and dropped while jobs run.

use std::fmt;
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tokio::time::sleep;

use crate::DatabaseError;
use crate::client::Client;
use crate::db::open::open_like;
use crate::db::pooler;
use crate::db::shared::Shared;
use crate::enqueue::attributes::{InvalidAttribute, check_name};
use crate::jitter::jittered;

/// The interval at which a call checks if another session has finished.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// The most failures in a row that may come of other sessions, before one is the error of the call.
const MAX_FAILURES: u32 = 20;
/// The limits of a role would end a statement that takes hours, and names are those of PostgreSQL.
const SETTINGS: &str = "select set_config(name, '0', false) from pg_catalog.pg_settings
     where name in ('statement_timeout', 'lock_timeout', 'transaction_timeout', 'idle_session_timeout');
set search_path = pg_catalog, pg_temp; set client_min_messages = warning";

/// An index by an attribute: from [`Client::attribute_indexes`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttributeIndex {
    /// The name of the attribute.
    pub attribute: String,
    /// The state of the index.
    pub state: AttributeIndexState,
}

/// The state of an index by an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttributeIndexState {
    /// It is complete, and used.
    Ready,
    /// A session builds it now.
    Building {
        /// The part that is done, from 0 to 100.
        percent: u8,
    },
    /// A session that built it has ended before it was complete. [`Client::index_attribute`] completes it.
    Incomplete {
        /// The part that is done, from 0 to 100.
        percent: u8,
    },
}

/// The error of building or dropping an index by an attribute.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum AttributeIndexError {
    /// No attribute has this name.
    #[error(transparent)]
    Attribute(#[from] InvalidAttribute),
    /// A pooler in transaction mode stands between the client and the database. Nothing was built.
    #[error(
        "a pooler in transaction mode stands before the database, and an index needs a connection of its own for as long as it is built: use a client with a direct URL, or with one in session mode"
    )]
    Pooler,
    /// The database could not be reached, or refused.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

crate::debug_as_message!(AttributeIndexError);

impl Client {
    /// Builds an index by an attribute, which finds the jobs that a filter with `attribute("tenant").eq(…)` matches. Returns when it
    /// is ready. Jobs are enqueued and run meanwhile.
    ///
    /// If this process ends, [`attribute_indexes`](Self::attribute_indexes) shows how far the index is, and another call completes
    /// it. Several calls build it once. The client's role must own the tables, as the one that migrates does.
    ///
    /// An index costs each job that has the attribute a write when it is enqueued, retried, and ended.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::AttributeIndexError> {
    /// client.index_attribute("tenant").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AttributeIndexError`], if no attribute has this name, or if the database cannot be reached or refuses.
    pub async fn index_attribute(&self, attribute: &str) -> Result<(), AttributeIndexError> {
        check_name(attribute)?;
        self.change_attribute_index(attribute, true).await
    }

    /// Drops an index by an attribute, if there is one. Jobs are enqueued and run meanwhile.
    ///
    /// # Errors
    ///
    /// [`AttributeIndexError`], if the database cannot be reached or refuses.
    pub async fn drop_attribute_index(&self, attribute: &str) -> Result<(), AttributeIndexError> {
        check_name(attribute)?;
        self.change_attribute_index(attribute, false).await
    }

    /// Returns the indexes by attributes, and how far each of them is.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::DatabaseError> {
    /// for index in client.attribute_indexes().await? {
    ///     println!("{}: {}", index.attribute, index.state); // tenant: 42 % built
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DatabaseError`], if the database cannot be reached or refuses.
    pub async fn attribute_indexes(&self) -> Result<Vec<AttributeIndex>, DatabaseError> {
        let shared = self.shared();
        let rows = shared.read(&shared.sql.attribute_indexes, &[]).await?;
        let indexes: Result<_, _> = rows.iter().map(AttributeIndex::read).collect();
        indexes.map_err(DatabaseError::Refused)
    }

    /// Records that there shall be an index, or none, and then sends statements until it is so.
    async fn change_attribute_index(&self, attribute: &str, wanted: bool) -> Result<(), AttributeIndexError> {
        let shared = self.shared();
        let mut connection = connect(shared).await?;
        shared.write(&shared.sql.want_attribute_index, &[&attribute, &wanted]).await?;
        let mut failures = 0;
        loop {
            match step(&mut connection, shared, attribute).await {
                Ok(Step::Done) => return Ok(()),
                Ok(Step::Next) => failures = 0,
                Ok(Step::Wait) => sleep(jittered(CHECK_INTERVAL)).await,
                Err(error) if is_of_others(&error) && failures < MAX_FAILURES => {
                    failures += 1;
                    sleep(jittered(CHECK_INTERVAL)).await;
                }
                Err(error) => return Err(shared.error(error).into()),
            }
        }
    }
}

/// The next step to take.
enum Step {
    Next,
    Wait,
    Done,
}

/// Opens a connection without time limits. The session's end releases the locks of `attribute_index_step`.
async fn connect(shared: &Shared) -> Result<PgConnection, AttributeIndexError> {
    let open = async || open_like(&shared.pool, "pgjobq index").await.map_err(|error| shared.error(error));
    let (mut connection, mut another) = (open().await?, open().await?);
    if pooler::is_between(&mut [&mut connection, &mut another], &shared.sql).await? {
        return Err(AttributeIndexError::Pooler);
    }
    let _ = another.close().await;
    sqlx::raw_sql(SETTINGS).execute(&mut connection).await.map_err(|error| shared.error(error))?;
    Ok(connection)
}

/// Asks for the next statement, and sends it.
async fn step(connection: &mut PgConnection, shared: &Shared, attribute: &str) -> Result<Step, sqlx::Error> {
    let next = sqlx::query(shared.sql.attribute_index_step.clone()).bind(attribute);
    let next = next.fetch_one(&mut *connection).await?;
    if next.try_get("waits")? {
        return Ok(Step::Wait);
    }
    let Some(statement) = next.try_get::<Option<String>, _>("statement")? else { return Ok(Step::Done) };
    tracing::debug!(statement, "changing an index by attribute");
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(Step::Next)
}

/// Returns whether an error comes of what another session has done to the table or the index meanwhile: a deadlock, a table or an
/// index that is gone or there already.
fn is_of_others(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| ["40P01", "42P01", "42704", "42P07", "55P03"].contains(&&*code))
}

impl AttributeIndex {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let percent = u8::try_from(row.try_get::<i32, _>("percent")?).unwrap_or_default();
        let state = match (row.try_get("is_ready")?, row.try_get("is_being_built")?) {
            (true, _) => AttributeIndexState::Ready,
            (false, true) => AttributeIndexState::Building { percent },
            (false, false) => AttributeIndexState::Incomplete { percent },
        };
        Ok(Self { attribute: row.try_get("attribute")?, state })
    }
}

impl fmt::Display for AttributeIndexState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => write!(out, "ready"),
            Self::Building { percent } => write!(out, "{percent} % built"),
            Self::Incomplete { percent } => write!(out, "{percent} % built, and nobody goes on"),
        }
    }
}
