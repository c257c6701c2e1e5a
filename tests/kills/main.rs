//! Workers that die, are frozen, and come back: real processes on a durable server of their own.
//!
//! `cargo test --test kills` takes a minute. `cargo test --test kills -- --kills 2000` runs longer. `cargo test --test kills -- limits
//! --plant lock` must panic: `planted.rs` has the faults.
#![allow(clippy::unwrap_used)]

mod batches; // Workers are killed while they run calls for several jobs.
mod frozen; // A worker is stopped for longer than its lease, and wakes.
mod jobs; // The jobs that the workers run.
mod ledger; // The record of all runs.
mod limit_verdict; // The checks of limits at the end.
mod limits; // Jobs of a thousand keys, whose workers die, freeze and lose their connections.
mod order; // The jobs of a thousand keys run in their order.
mod planted; // Faults of the library, which the verdict on limits must find.
mod poison; // A job that kills every worker process that runs it.
mod process; // A worker process, seen from inside and from outside.
mod signals; // A worker receives more than one signal to end.
mod storm; // Workers are killed while they run jobs.

use std::time::Duration;

use pgjobq::Client;
use pgjobq::dev::{Server, ServerOptions};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use pgjobq::sqlx;

/// The heartbeat and the lease of every worker here. Even on a busy machine, no living process is silent for a lease.
const HEARTBEAT: Duration = Duration::from_millis(200);
const LEASE: Duration = Duration::from_secs(2);

fn main() {
    if let Some(settings) = process::Settings::from_environment() {
        return process::run(settings);
    }
    let wanted = Wanted::from_arguments();
    if wanted.list {
        SCENARIOS.iter().for_each(|name| println!("{name}: test"));
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for name in SCENARIOS.into_iter().filter(|name| wanted.includes(name)) {
        let figures = runtime.block_on(async {
            match name {
                "storm" => storm::run(wanted.kills).await,
                "frozen" => frozen::run().await,
                "signals" => signals::run().await,
                "limits" => limits::run(wanted.kills, wanted.plant.as_deref()).await,
                "batches" => batches::run(wanted.kills).await,
                "order" => order::run(wanted.kills, wanted.plant.as_deref()).await,
                _ => poison::run().await,
            }
        });
        println!("{name}: {figures}");
    }
}

const SCENARIOS: [&str; 7] = ["storm", "frozen", "poison", "signals", "limits", "order", "batches"];

/// The options of the command line, as far as `cargo test` passes them on.
struct Wanted {
    kills: usize,
    /// A fault of the library, of which the scenario must panic.
    plant: Option<String>,
    list: bool,
    filters: Vec<String>,
}

impl Wanted {
    fn from_arguments() -> Self {
        let mut wanted = Self { kills: 16, plant: None, list: false, filters: Vec::new() };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--kills" => wanted.kills = arguments.next().unwrap().parse().unwrap(),
                "--plant" => wanted.plant = arguments.next(),
                "--list" => wanted.list = true,
                flag if flag.starts_with('-') => {}
                filter => wanted.filters.push(filter.to_owned()),
            }
        }
        wanted
    }

    fn includes(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter))
    }
}

/// A durable server with our schema and the ledger, and connections to it.
struct Stage {
    url: String,
    pool: PgPool,
    client: Client,
    _server: Server,
}

impl Stage {
    async fn new() -> Self {
        let server = Server::start(ServerOptions::durable()).await.unwrap();
        let url = server.url("postgres");
        let pool = PgPoolOptions::new().max_connections(8).connect(&url).await.unwrap();
        let client = Client::new(pool.clone());
        client.migrate().await.unwrap();
        ledger::create(&pool).await;
        Self { url, pool, client, _server: server }
    }

    /// One number.
    async fn number(&self, sql: &str) -> i64 {
        let sql = sqlx::AssertSqlSafe(format!("select ({sql})::bigint"));
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    /// Runs statements.
    async fn run(&self, sql: &str) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&self.pool).await.unwrap();
    }

    /// Returns when no job is left; panics if none ends for a time.
    async fn drained(&self) {
        let jobs = "select count(*) from pgjobq.jobs";
        loop {
            let left = self.number(jobs).await;
            if left == 0 {
                return;
            }
            self.until(&format!("({jobs}) < {left}")).await;
        }
    }

    /// Returns when the query returns true; panics if it does not in time.
    async fn until(&self, sql: &str) {
        let looked = async {
            while self.number(&format!("({sql})::int")).await == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), looked)
            .await
            .unwrap_or_else(|_| panic!("never true: {sql}"));
    }
}
