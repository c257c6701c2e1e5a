//! The counters of the database.

use std::time::{Duration, Instant};

use anyhow::Result;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

/// The longest wait for sessions to end.
const SETTLE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

const WAL: &str = "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8";
const COMMITS: &str = "select (xact_commit + xact_rollback)::float8 from pg_stat_database where datname = $1";
const SESSIONS: &str =
    "select count(*) from pg_stat_activity where datname = $1 and backend_type = 'client backend'";
const STATEMENTS: &str = "select coalesce(sum(calls), 0)::float8 from pg_stat_statements s
    join pg_database d on d.oid = s.dbid where d.datname = $1";
const DEAD_ROWS: &str = "select coalesce(sum(n_dead_tup), 0)::float8 from pg_stat_user_tables";

/// The measured database. Its counters are read from a session in another one. Only [`wait_until_not`](Self::wait_until_not) looks
/// inside while a peer runs, and its cost is part of the figures of every peer.
pub(crate) struct Database {
    outside: PgPool,
    url: String,
    name: String,
}

impl Database {
    /// Connects to `outside`; `url` leads to the measured database, past any proxy.
    pub(crate) async fn connect(outside: &str, url: &str, name: &str) -> Result<Self> {
        let outside = PgPoolOptions::new().max_connections(1).connect(outside).await?;
        Ok(Self { outside, url: url.to_owned(), name: name.to_owned() })
    }

    /// Bytes of WAL since the server was made.
    pub(crate) async fn wal(&self) -> Result<f64> {
        Ok(sqlx::query_scalar(WAL).fetch_one(&self.outside).await?)
    }

    /// Transactions so far. Sessions report theirs when they end, so [`settle`](Self::settle) first.
    pub(crate) async fn transactions(&self) -> Result<f64> {
        Ok(sqlx::query_scalar(COMMITS).bind(&self.name).fetch_one(&self.outside).await?)
    }

    /// Statements so far, if the server counts them.
    pub(crate) async fn statements(&self) -> Option<f64> {
        sqlx::query_scalar(STATEMENTS).bind(&self.name).fetch_one(&self.outside).await.ok()
    }

    /// Waits until no session is in the database.
    pub(crate) async fn settle(&self) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < SETTLE {
            let sessions: i64 =
                sqlx::query_scalar(SESSIONS).bind(&self.name).fetch_one(&self.outside).await?;
            if sessions == 0 {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        anyhow::bail!(
            "sessions are left in the database after {SETTLE:?}: the peer does not close its connections"
        )
    }

    /// Leaves the tables as a long-lived database has them, and the next checkpoint far away.
    pub(crate) async fn rest(&self) -> Result<()> {
        let mut session = self.session().await?;
        sqlx::query("vacuum (analyze)").execute(&mut session).await?;
        sqlx::query("checkpoint").execute(&mut session).await?;
        Ok(session.close().await?)
    }

    /// Dead rows in all tables, as the server estimates them.
    pub(crate) async fn dead_rows(&self) -> Result<f64> {
        let mut session = self.session().await?;
        let rows = sqlx::query_scalar(DEAD_ROWS).fetch_one(&mut session).await?;
        session.close().await?;
        Ok(rows)
    }

    /// Waits until a query of the peer returns false.
    pub(crate) async fn wait_until_not(&self, unfinished: &'static str) -> Result<()> {
        let mut session = self.session().await?;
        while sqlx::query_scalar::<_, bool>(AssertSqlSafe(unfinished)).fetch_one(&mut session).await? {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(session.close().await?)
    }

    /// A session in the measured database.
    pub(crate) async fn session(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect(&self.url).await?)
    }
}
