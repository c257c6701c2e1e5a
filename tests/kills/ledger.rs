//! The record of all runs, kept outside of the transaction that completes a job.

use pgjobq::JobContext;
use pgjobq::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use pgjobq::sqlx::{self, PgPool};

/// A worker process's connection to the ledger.
pub(crate) struct Ledger {
    pool: PgPool,
}

pub(crate) async fn create(pool: &PgPool) {
    let table = "create table ledger (
        run bigint generated always as identity primary key, job uuid not null, attempt int not null, process int not null,
        filter text,
        started_at timestamptz not null default clock_timestamp(), asked_at timestamptz, ended_at timestamptz);
        create table gate (opened boolean)";
    sqlx::raw_sql(table).execute(pool).await.unwrap();
}

impl Ledger {
    /// The connections bear the process's number, so that one can see when the last of them is gone.
    pub(crate) async fn open(url: &str) -> Self {
        let options: PgConnectOptions = url.parse().unwrap();
        let options = options
            .application_name(&format!("ledger of {}", std::process::id()))
            .options([("synchronous_commit", "off")]); // Here the server does not die.
        Self { pool: PgPoolOptions::new().max_connections(4).connect_with(options).await.unwrap() }
    }

    pub(crate) async fn begin(&self, ctx: &JobContext) -> sqlx::Result<i64> {
        sqlx::query_scalar(
            "insert into ledger (job, attempt, process, filter) values ($1, $2, $3, $4) returning run",
        )
        .bind(ctx.id().as_uuid())
        .bind(ctx.attempt() as i32)
        .bind(std::process::id() as i32)
        .bind(std::env::var(crate::process::FILTER).ok())
        .fetch_one(&self.pool)
        .await
    }

    /// Records that the attempt was asked to stop.
    pub(crate) async fn asked_to_stop(&self, run: i64) -> sqlx::Result<()> {
        let asked = sqlx::query("update ledger set asked_at = clock_timestamp() where run = $1").bind(run);
        asked.execute(&self.pool).await.map(drop)
    }

    /// Returns when the test has put a row into the gate.
    pub(crate) async fn gate_is_open(&self) -> sqlx::Result<()> {
        while !sqlx::query_scalar("select exists (select from gate)").fetch_one(&self.pool).await? {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        Ok(())
    }

    pub(crate) async fn end(&self, run: i64) -> sqlx::Result<()> {
        let ended = sqlx::query("update ledger set ended_at = clock_timestamp() where run = $1").bind(run);
        ended.execute(&self.pool).await.map(drop)
    }
}
