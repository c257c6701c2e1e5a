//! The server that the tests of this process share, and its databases.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use pgjobq::Client;
use pgjobq::dev::Database;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::sync::Mutex;

/// The shared server, kept running while a test uses it.
pub(crate) struct TestServer {
    database: Database,
    /// The migrated templates by number of shards. A test's database is a copy, because a migration takes much longer.
    templates: Mutex<HashMap<u16, String>>,
}

impl TestServer {
    /// Joins the running server, or starts one.
    pub(crate) async fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<TestServer>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let database = pgjobq::dev::database().await.unwrap();
        check_clock(database.url()).await;
        let started = Arc::new(Self { database, templates: Mutex::default() });
        *shared = Arc::downgrade(&started);
        started
    }

    pub(crate) fn url(&self) -> &str {
        self.database.url()
    }

    pub(crate) fn options(&self, database: &str) -> PgConnectOptions {
        self.url().parse::<PgConnectOptions>().unwrap().database(database)
    }

    /// Creates a database and returns its name.
    pub(crate) async fn create(&self, how: &str) -> String {
        let name = format!("pgjobq_test_{}", uuid::Uuid::new_v4().simple());
        execute(self.url(), &[format!("create database {name} {how}")]).await;
        name
    }

    /// Returns the name of a migrated database with this number of shards.
    pub(crate) async fn template(&self, shards: u16) -> String {
        let mut templates = self.templates.lock().await;
        if let Some(name) = templates.get(&shards) {
            return name.clone();
        }
        let name = self.create("").await;
        templates.insert(shards, name.clone());
        let pool = PgPoolOptions::new().connect_with(self.options(&name)).await.unwrap();
        let client = Client::builder(pool.clone()).shards(shards).build().unwrap();
        client.migrate().await.unwrap();
        client.close().await;
        pool.close().await;
        // A connection to the template, such as autovacuum's, would delay the copies.
        execute(self.url(), &[format!("alter database {name} allow_connections false")]).await;
        name
    }

    /// Drops databases, also while a test panics.
    pub(crate) fn drop_databases(&self, names: &[String]) {
        let url = self.url().to_owned();
        let statements: Vec<_> =
            names.iter().map(|name| format!("drop database {name} with (force)")).collect();
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(&url, &statements));
        });
        let _ = dropped.join();
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let templates: Vec<_> = self.templates.get_mut().drain().map(|(_, name)| name).collect();
        if !templates.is_empty() {
            self.drop_databases(&templates);
        }
    }
}

/// Checks that the server has this process's clock. Otherwise tests under a shifted clock would pass without testing it.
async fn check_clock(url: &str) {
    if std::env::var_os("CLOCK_OFFSET").is_none() {
        return;
    }
    let mut connection = url.parse::<PgConnectOptions>().unwrap().connect().await.unwrap();
    let now = "select extract(epoch from clock_timestamp())::bigint";
    let theirs: i64 = sqlx::query_scalar(now).fetch_one(&mut connection).await.unwrap();
    let ours = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!(
        ours.abs_diff(theirs.unsigned_abs()) < 60,
        "the server's clock is not shifted: {theirs} is not {ours}"
    );
    connection.close().await.unwrap();
}

async fn execute(url: &str, statements: &[String]) {
    let mut connection = url.parse::<PgConnectOptions>().unwrap().connect().await.unwrap();
    for statement in statements {
        sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}
