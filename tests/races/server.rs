//! A server of the runner's own, and databases on it.

use pgjobq::dev::{Server, ServerOptions};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// The number of databases that are used at once.
const LANES: usize = 6;

pub(crate) struct Databases {
    server: Server,
}

impl Databases {
    pub(crate) async fn start() -> Self {
        let options =
            ServerOptions::fast().set("deadlock_timeout", "20ms").set("autovacuum", "off").set("jit", "off");
        Self { server: Server::start(options).await.unwrap() }
    }

    /// An empty database of this name.
    pub(crate) async fn create(&self, name: &str) -> PgConnectOptions {
        self.run("postgres", &format!("create database {name}")).await;
        self.options(name)
    }

    /// Creates the copies of a database that are used at once. It must have no other connection.
    pub(crate) async fn lanes(&self, name: &str) -> Vec<PgConnectOptions> {
        let mut made = Vec::new();
        for copy in 0..LANES {
            let copy = format!("{name}_{copy}");
            self.run("postgres", &format!("create database {copy} template {name}")).await;
            made.push(self.options(&copy));
        }
        made
    }

    /// Runs a script.
    pub(crate) async fn run(&self, database: &str, script: &str) {
        let mut connection = PgConnection::connect_with(&self.options(database)).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(script.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    fn options(&self, database: &str) -> PgConnectOptions {
        self.server.url(database).parse().unwrap()
    }
}
