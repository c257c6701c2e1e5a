//! A durable server with our schema and the ledger, the networks to it, and the workers at them.

use std::time::Duration;

use pgjobq::Client;
use pgjobq::dev::{Server, ServerOptions};
use pgjobq::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use pgjobq::sqlx::{self, PgPool};

use crate::account::Account;
use crate::fleet::Fleet;
use crate::ledger;
use crate::proxy::Proxy;

pub(crate) struct Stage {
    pub(crate) workers: usize,
    /// One for each worker, and the last one for the producers.
    pub(crate) networks: Vec<Proxy>,
    pub(crate) fleet: Fleet,
    pub(crate) account: Account,
    /// A client and a pool that no network is between, and that no fault is aimed at. Only a crash of the server hits them.
    pub(crate) client: Client,
    pub(crate) pool: PgPool,
    pub(crate) server: Server,
}

impl Stage {
    pub(crate) async fn new(workers: usize) -> Self {
        let server = Server::start(ServerOptions::durable()).await.unwrap();
        let url = server.url("postgres");
        let options: PgConnectOptions = url.parse().unwrap();
        let options = options.application_name("chaos");
        let pool = PgPoolOptions::new().max_connections(12).connect_with(options).await.unwrap();
        let client = Client::new(pool.clone());
        client.migrate().await.unwrap();
        ledger::create(&pool).await;
        let mut networks = Vec::new();
        for _ in 0..=workers {
            networks.push(Proxy::to(&url).await);
        }
        let fleet = Fleet::start(&networks[..workers], url);
        Self { workers, networks, fleet, account: Account::default(), client, pool, server }
    }

    /// One number, or nothing while the server is down.
    pub(crate) async fn try_number(&self, sql: &str) -> Option<i64> {
        let sql = sqlx::AssertSqlSafe(format!("select ({sql})::bigint"));
        match sqlx::query_scalar(sql).fetch_one(&self.pool).await {
            Ok(number) => Some(number),
            // The query itself must be right.
            Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code.starts_with("42")) => {
                panic!("{error}")
            }
            Err(_) => None,
        }
    }

    /// One number, as soon as the server is there.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        loop {
            match self.try_number(sql).await {
                Some(number) => break number,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// The database's clock, as text.
    pub(crate) async fn clock(&self) -> String {
        loop {
            match sqlx::query_scalar("select clock_timestamp()::text").fetch_one(&self.pool).await {
                Ok(clock) => break clock,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Ends so many connections of the workers, the producers, and the ledgers.
    pub(crate) async fn terminate_backends(&self, most: u32) {
        let terminate = format!(
            "select count(pg_terminate_backend(pid)) from (
               select pid from pg_stat_activity
                where backend_type = 'client backend' and application_name <> 'chaos' order by random() limit {most}) p"
        );
        self.number(&terminate).await;
    }

    /// Returns when the query gives true; panics when it does not in time.
    pub(crate) async fn until(&self, sql: &str, within: Duration) {
        let looked = async {
            while self.number(&format!("({sql})::int")).await == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(within, looked).await.is_err() {
            let (left, warned) = (self.left().await, self.fleet.overheard.summary());
            panic!(
                "not true after {within:?}: {sql}\nsome of what is left: {left:#?}\nthe workers warned:{warned}"
            );
        }
    }

    /// Some jobs that have not ended, and what the server does.
    async fn left(&self) -> Vec<String> {
        let left = "(select s::text from pgjobq.job_states s order by state desc limit 5) union all
                    (select l::text from pgjobq.leases l limit 5) union all
                    (select concat_ws(' ', application_name, state, wait_event_type, age(clock_timestamp(), state_change), left(query, 60))
                       from pg_stat_activity where backend_type = 'client backend')";
        sqlx::query_scalar(left).fetch_all(&self.pool).await.unwrap_or_default()
    }
}
