//! A migrated database of its own for each test.

use std::time::Duration;

use pgjobq::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use pgjobq::sqlx::{self, AssertSqlSafe, PgPool};
use pgjobq::{Client, Worker, WorkerBuilder};
use tokio::time::timeout;

pub(crate) struct Stage {
    pub(crate) client: Client,
    pub(crate) options: PgConnectOptions,
    admin: PgPool,
    name: String,
    _server: pgjobq::dev::Database,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let server = pgjobq::dev::database().await.unwrap();
        let admin = PgPoolOptions::new().max_connections(1).connect(server.url()).await.unwrap();
        let name = format!("pgjobq_web_{}", uuid::Uuid::new_v4().simple());
        let create = AssertSqlSafe(format!("create database {name}"));
        sqlx::raw_sql(create).execute(&admin).await.unwrap();
        let options = admin.connect_options().as_ref().clone().database(&name);
        let client = Client::new(PgPool::connect_with(options.clone()).await.unwrap());
        client.migrate().await.unwrap();
        Self { client, options, admin, name, _server: server }
    }

    /// Runs a test on a database that is dropped afterwards.
    pub(crate) async fn run(test: impl AsyncFnOnce(&Self)) {
        let stage = Self::new().await;
        test(&stage).await;
        stage.client.close().await;
        stage.client.pool().close().await;
        let drop = AssertSqlSafe(format!("drop database {} with (force)", stage.name));
        sqlx::raw_sql(drop).execute(&stage.admin).await.unwrap();
    }

    pub(crate) fn worker(&self) -> WorkerBuilder {
        let short = Duration::from_millis(200);
        Worker::builder(&self.client).queue("default", 5).name("here").heartbeat(short).poll_interval(short)
    }

    /// Returns the one value of an expression, as text.
    pub(crate) async fn text(&self, sql: &str) -> String {
        let sql = AssertSqlSafe(format!("select ({sql})::text"));
        sqlx::query_scalar::<_, Option<String>>(sql)
            .fetch_one(self.client.pool())
            .await
            .unwrap()
            .unwrap_or_default()
    }

    /// Waits until a condition holds.
    pub(crate) async fn until(&self, condition: &str) {
        let looks = async {
            while self.text(condition).await != "true" {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(60), looks).await.unwrap_or_else(|_| panic!("never: {condition}"));
    }

    pub(crate) async fn execute(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(self.client.pool()).await.unwrap();
    }
}
