//! The test harness: each test has its own database on a server that all tests share.

use std::sync::Arc;
use std::time::Duration;

use pgjobq::{Client, Worker, WorkerBuilder};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};

use self::server::TestServer;

// `path` is needed because other test programs include this file.
#[path = "server.rs"]
mod server;

/// A migrated database for one test. It is dropped at the end, also when the test panics.
pub(crate) struct TestDb {
    pub(crate) client: Client,
    pub(crate) pool: PgPool,
    pub(crate) options: PgConnectOptions,
    name: String,
    server: Arc<TestServer>,
}

impl TestDb {
    /// Creates a migrated database with this number of shards.
    pub(crate) async fn new(shards: u16) -> Self {
        let server = TestServer::shared().await;
        let template = server.template(shards).await;
        Self::open(server, &format!("template {template}")).await
    }

    /// Creates a migrated database in this encoding.
    #[allow(dead_code)]
    pub(crate) async fn encoded(encoding: &str) -> Self {
        let locale = format!("encoding '{encoding}' template template0 lc_collate 'C' lc_ctype 'C'");
        let db = Self::open(TestServer::shared().await, &locale).await;
        db.client.migrate().await.unwrap();
        db
    }

    /// Creates a database without our schema.
    pub(crate) async fn empty() -> Self {
        Self::open(TestServer::shared().await, "").await
    }

    async fn open(server: Arc<TestServer>, how: &str) -> Self {
        let name = server.create(how).await;
        let options = server.options(&name);
        let pool = PgPoolOptions::new().max_connections(12).connect_with(options.clone()).await.unwrap();
        Self { client: Client::new(pool.clone()), pool, options, name, server }
    }

    /// Returns the database's URL, for other programs.
    pub(crate) fn url(&self) -> String {
        // The path of the server's URL names another database.
        let (url, query) = self.server.url().split_once('?').unwrap_or((self.server.url(), ""));
        let start = url.rfind('/').unwrap();
        format!("{}/{}?{query}", &url[..start], self.name)
    }

    /// Returns the server's URL and the database's name, for a process that opens both.
    pub(crate) fn address(&self) -> (&str, &str) {
        (self.server.url(), &self.name)
    }

    /// Returns a builder with short intervals and the queue `default`. The lease is so long that it does not expire on a busy
    /// machine; a test of silent workers sets a shorter one.
    pub(crate) fn worker(&self) -> WorkerBuilder {
        Worker::builder(&self.client)
            .queue("default", 20)
            .heartbeat(Duration::from_millis(200))
            .lease(Duration::from_secs(30))
            .claim_timeout(Duration::from_secs(2))
            .poll_interval(Duration::from_millis(200))
            .grace(Duration::from_secs(5))
    }

    /// Returns the one number that a query selects.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = format!("select ({sql})::bigint");
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.pool).await.unwrap()
    }

    /// Returns the one value of an expression, as text.
    pub(crate) async fn text(&self, sql: &str) -> String {
        let sql = format!("select ({sql})::text");
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.pool).await.unwrap()
    }

    /// Executes SQL statements.
    pub(crate) async fn run(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.pool).await.unwrap();
    }

    /// Executes SQL statements that lock several rows or tables, some of which a worker may hold: again after a deadlock.
    #[allow(dead_code)]
    pub(crate) async fn run_beside_a_worker(&self, sql: &str) {
        while let Err(error) = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.pool).await {
            let code = error.as_database_error().and_then(|error| error.code());
            assert_eq!(code.as_deref(), Some("40P01"), "{error}");
        }
    }

    /// Drops a role, what it owns and its rights, once its sessions have ended: a call that was given up may have left a statement.
    #[allow(dead_code)]
    pub(crate) async fn drop_role(&self, role: &str) {
        self.run(&format!(
            "select pg_terminate_backend(pid, 60000) from pg_stat_activity where usename = '{role}';
             drop owned by {role} cascade; drop role {role}"
        ))
        .await;
    }

    /// Awaits `end`, and meanwhile makes failed jobs due at once, without their backoff.
    #[allow(dead_code)]
    pub(crate) async fn without_backoff<T>(&self, end: impl Future<Output = T>) -> T {
        let hasten = async {
            loop {
                self.run("update pgjobq.jobs set run_at = clock_timestamp() where failures > 0 and run_at > clock_timestamp()")
                    .await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            ended = end => ended,
            () = hasten => unreachable!("this loop never ends"),
        }
    }

    /// Returns when the query returns true; panics at the timeout.
    pub(crate) async fn until(&self, sql: &str) {
        let query = format!("select ({sql})::boolean");
        let looked = async {
            while !sqlx::query_scalar(AssertSqlSafe(query.clone()))
                .fetch_one(&self.pool)
                .await
                .unwrap_or(false)
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, looked)
            .await
            .unwrap_or_else(|_| panic!("the condition never became true: {sql}"));
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        self.server.drop_databases(std::slice::from_ref(&self.name));
    }
}

/// The time in which anything that a test waits for happens, on a machine that is far slower than usual.
pub(crate) const PATIENCE: Duration = Duration::from_secs(100);

/// Fails a test that takes too long: 300 seconds, or `PGJOBQ_TEST_SECONDS` for a larger run by hand.
pub(crate) async fn in_time(test: impl Future<Output = ()>) {
    let by_hand = std::env::var("PGJOBQ_TEST_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let limit = Duration::from_secs(by_hand.unwrap_or(300));
    tokio::time::timeout(limit, test).await.expect("the test ends");
}

/// Runs a test on a migrated database with this number of shards.
#[allow(dead_code)]
pub(crate) async fn run<F: Future<Output = ()>>(shards: u16, test: impl FnOnce(TestDb) -> F) {
    in_time(test(TestDb::new(shards).await)).await;
}

/// Defines a test from a function that takes a database, if the number of shards makes no difference to it.
#[allow(unused_macros)]
macro_rules! on_one_shard {
    ($name:ident) => {
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn one_shard() {
                $crate::harness::run(1, super::$name).await;
            }
        }
    };
}

/// Defines two tests from a function that takes a database: one with a single shard, one with eight.
#[allow(unused_macros)]
macro_rules! on_one_and_eight_shards {
    ($name:ident) => {
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn one_shard() {
                $crate::harness::run(1, super::$name).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn eight_shards() {
                $crate::harness::run(8, super::$name).await;
            }
        }
    };
}
