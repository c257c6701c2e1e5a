//! One session, and the cost of a statement in it.

use std::ops::AddAssign;

use pgjobq_core::worker_api::{RowAddress, STATEMENTS};
use serde_json::Value;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Postgres, Row};

use crate::server::{Db, run};
use crate::tables::KIND;

/// The cost of one call, including everything that ran inside of its function.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cost {
    pub(crate) wal: f64,
    pub(crate) buffers: f64,
    pub(crate) milliseconds: f64,
}

/// Two connections: one on which statements are measured, and one that prepares the tables. The second one plans by indexes
/// regardless of the statistics, so that it is quick; the first one has the default settings.
pub(crate) struct Session {
    pub(crate) measured: PgConnection,
    pub(crate) stage: PgConnection,
    pub(crate) queue: i32,
    pub(crate) worker: i64,
    /// The one kind that the worker knows.
    pub(crate) kind: &'static str,
    /// The jobs that it accepts, as a jsonpath; `None` for all.
    pub(crate) filter: Option<&'static str>,
}

impl Session {
    /// A session of a newly registered worker.
    pub(crate) async fn new(db: &Db) -> Self {
        let indexed = [("enable_seqscan", "off"), ("enable_bitmapscan", "off"), ("enable_sort", "off")];
        let mut session = Self {
            // A broken plan reads the table once for each job. It must fail at this timeout, not run for long.
            measured: db.options.clone().options([("statement_timeout", "60s")]).connect().await.unwrap(),
            stage: db.options.clone().options(indexed).connect().await.unwrap(),
            queue: 0,
            worker: fresh_id(),
            kind: KIND,
            filter: None,
        };
        session.queue = session.number("select id from pgjobq.queues where name = 'default'").await as i32;
        session.register().await;
        // sqlx looks up the type of a row's address once, which an unnamed statement does not survive.
        let _: Vec<RowAddress> =
            sqlx::query_scalar("select '{}'::tid[]").fetch_one(&mut session.measured).await.unwrap();
        session
    }

    /// Registers the worker.
    pub(crate) async fn register(&mut self) {
        let worker = self.worker;
        self.run(&format!("select pgjobq.register_worker(0::smallint, {worker}, 'cost')")).await;
    }

    /// Runs one statement that prepares the tables.
    pub(crate) async fn run(&mut self, sql: &str) {
        run(&mut self.stage, sql).await;
    }

    /// One number.
    pub(crate) async fn number(&mut self, sql: &str) -> i64 {
        let sql = format!("select ({sql})::bigint");
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut self.stage).await.unwrap()
    }

    /// Runs a shipped statement, made by [`explain`], and returns its cost.
    pub(crate) async fn cost(&mut self, query: Query<'_, Postgres, PgArguments>) -> Cost {
        let row = match query.persistent(false).fetch_one(&mut self.measured).await {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("57014") => {
                return Cost::ENDLESS;
            }
            row => row.unwrap(),
        };
        let plan: Value = row.try_get(0).unwrap();
        let plan = &plan[0]["Plan"];
        let figure = |name: &str| plan[name].as_f64().unwrap_or_else(|| panic!("no {name} in {plan:#}"));
        assert_eq!(figure("WAL FPI"), 0.0, "full-page images are left out");
        let buffers = ["Shared Hit Blocks", "Shared Read Blocks", "Temp Read Blocks", "Temp Written Blocks"];
        Cost {
            wal: figure("WAL Bytes"),
            buffers: buffers.into_iter().map(figure).sum(),
            milliseconds: figure("Actual Total Time"),
        }
    }
}

/// The text of a shipped statement.
pub(crate) fn statement(name: &str) -> &'static str {
    let found = STATEMENTS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("there is no statement {name}")).1
}

/// A shipped statement, to be bound and passed to [`Session::cost`].
pub(crate) fn explain<'q>(name: &str) -> Query<'q, Postgres, PgArguments> {
    let sql = format!("explain (analyze, wal, buffers, format json)\n{}", statement(name));
    sqlx::query(AssertSqlSafe(sql))
}

/// An id for a worker or a lease.
pub(crate) fn fresh_id() -> i64 {
    (uuid::Uuid::new_v4().as_u128() >> 66) as i64
}

impl Cost {
    /// The cost of a call that did not end.
    pub(crate) const ENDLESS: Self =
        Self { wal: f64::INFINITY, buffers: f64::INFINITY, milliseconds: f64::INFINITY };
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.wal += other.wal;
        self.buffers += other.buffers;
        self.milliseconds += other.milliseconds;
    }
}
