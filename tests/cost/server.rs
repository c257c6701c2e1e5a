//! The server of this binary, and a migrated database for each test.

use std::sync::{Arc, Weak};

use pgjobq::Client;
use pgjobq::dev::{Server, ServerOptions};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tokio::sync::Mutex;

/// A migrated database. It lasts as long as the server.
pub(crate) struct Db {
    pub(crate) options: PgConnectOptions,
    _server: Arc<Server>,
}

/// Settings that make costs repeatable. Tables are vacuumed or analysed only on request, and no checkpoint interferes.
/// Full-page images are off, because their number depends on the checkpoints alone.
async fn start() -> Server {
    let options = ServerOptions::durable()
        .set("autovacuum", "off")
        .set("full_page_writes", "off")
        .set("shared_buffers", "512MB")
        .set("max_wal_size", "16GB")
        .set("checkpoint_timeout", "1h")
        .set("synchronous_commit", "off");
    let server = Server::start(options).await.unwrap();
    let pool = PgPoolOptions::new().max_connections(2).connect(&server.url("postgres")).await.unwrap();
    run(&mut pool.acquire().await.unwrap(), "create database migrated").await;
    let migrated = PgPoolOptions::new().connect(&server.url("migrated")).await.unwrap();
    Client::new(migrated.clone()).migrate().await.unwrap();
    // The number of partitions after a month of retention.
    Client::new(migrated.clone()).make_partitions(std::time::Duration::from_secs(30 * 86_400)).await.unwrap();
    migrated.close().await;
    pool.close().await;
    server
}

impl Db {
    /// A database of this name.
    pub(crate) async fn new(name: &str) -> Self {
        static SERVER: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());
        let mut kept = SERVER.lock().await;
        let server = match kept.upgrade() {
            Some(running) => running,
            None => {
                let started = Arc::new(start().await);
                *kept = Arc::downgrade(&started);
                started
            }
        };
        let options = |name: &str| server.url(name).parse::<PgConnectOptions>().unwrap();
        let mut admin = options("postgres").connect().await.unwrap();
        run(&mut admin, &format!("create database {name} template migrated")).await;
        admin.close().await.unwrap();
        Self { options: options(name), _server: server }
    }
}

/// One statement.
pub(crate) async fn run(connection: &mut PgConnection, sql: &str) {
    let ran = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await;
    ran.unwrap_or_else(|error| panic!("{error}: {sql}"));
}
