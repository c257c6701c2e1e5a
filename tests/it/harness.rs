//! The stage for a test: a database of its own, on a server that all tests share.

use std::sync::{Arc, Weak};
use std::time::Duration;

use pgjobq::dev::Database;
use pgjobq::{Client, Worker, WorkerBuilder};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, PgPool};
use tokio::sync::Mutex;

/// A migrated database of a test's own; it is dropped at the end, also when the test panics.
pub(crate) struct TestDb {
    pub(crate) client: Client,
    pub(crate) pool: PgPool,
    pub(crate) options: PgConnectOptions,
    name: String,
    server: Arc<Database>,
}

/// The server, for as long as a test uses it.
async fn server() -> Arc<Database> {
    static SERVER: Mutex<Weak<Database>> = Mutex::const_new(Weak::new());
    let mut server = SERVER.lock().await;
    match server.upgrade() {
        Some(running) => running,
        None => {
            let started = Arc::new(pgjobq::dev::database().await.unwrap());
            *server = Arc::downgrade(&started);
            started
        }
    }
}

impl TestDb {
    /// A migrated database with so many shards.
    pub(crate) async fn new(shards: u16) -> Self {
        let mut db = Self::empty().await;
        db.client = Client::builder(db.pool.clone()).shards(shards).build().unwrap();
        db.client.migrate().await.unwrap();
        db
    }

    /// A database without our schema.
    pub(crate) async fn empty() -> Self {
        let server = server().await;
        let name = format!("pgjobq_test_{}", uuid::Uuid::new_v4().simple());
        admin(server.url(), format!("create database {name}")).await;
        let options = server.url().parse::<PgConnectOptions>().unwrap().database(&name);
        let pool = PgPoolOptions::new().max_connections(12).connect_with(options.clone()).await.unwrap();
        Self { client: Client::new(pool.clone()), pool, options, name, server }
    }

    /// Its address, for other programs.
    pub(crate) fn url(&self) -> String {
        // The address of the server names another database, in its path.
        let (url, query) = self.server.url().split_once('?').unwrap_or((self.server.url(), ""));
        let start = url.rfind('/').unwrap();
        format!("{}/{}?{query}", &url[..start], self.name)
    }

    /// Its address, as another process understands it: that of the server, and its name there.
    pub(crate) fn address(&self) -> (&str, &str) {
        (self.server.url(), &self.name)
    }

    /// A worker with short intervals, which takes `default` and what else is named.
    pub(crate) fn worker(&self) -> WorkerBuilder {
        Worker::builder(&self.client)
            .queue("default", 20)
            .heartbeat(Duration::from_millis(200))
            .lease(Duration::from_secs(2))
            .claim_timeout(Duration::from_secs(2))
            .poll_interval(Duration::from_millis(200))
            .grace(Duration::from_secs(5))
    }

    /// One number.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = format!("select ({sql})::bigint");
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.pool).await.unwrap()
    }

    /// One value, as text.
    pub(crate) async fn text(&self, sql: &str) -> String {
        let sql = format!("select ({sql})::text");
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.pool).await.unwrap()
    }

    /// One statement.
    pub(crate) async fn run(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.pool).await.unwrap();
    }

    /// Returns when the query gives true; panics when it does not in time.
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
        tokio::time::timeout(Duration::from_secs(30), looked)
            .await
            .unwrap_or_else(|_| panic!("never true: {sql}"));
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let (url, name) = (self.server.url().to_owned(), self.name.clone());
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(admin(&url, format!("drop database {name} with (force)")));
        });
        let _ = dropped.join();
    }
}

async fn admin(url: &str, sql: String) {
    use sqlx::Connection;
    let mut connection = url.parse::<PgConnectOptions>().unwrap().connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// A test that waits for ever has failed.
pub(crate) async fn in_time(test: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(180), test).await.expect("the test ends");
}

/// A test on a migrated database, run with one shard and with eight.
macro_rules! on_postgres {
    ($(#[$meta:meta])* async fn $name:ident($db:ident: TestDb) $body:block) => {
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn check($db: $crate::harness::TestDb) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn one_shard() {
                $crate::harness::in_time(check($crate::harness::TestDb::new(1).await)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn eight_shards() {
                $crate::harness::in_time(check($crate::harness::TestDb::new(8).await)).await;
            }
        }
    };
}
