//! Ten million jobs in the database: measures how long each screen takes, and how many statements a hundred viewers cost.
//!
//! `cargo bench -p pgjobq-web --bench screens [JOBS]`, by default ten million, which need 10 GB of disk. The server is durable, and shares
//! the machine. A worker runs, as it would beside a dashboard.
#![allow(clippy::unwrap_used, missing_docs)]

#[allow(dead_code)] // It can do more than look.
#[path = "../tests/dashboard/browser.rs"]
mod browser;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use pgjobq::dev::{Server, ServerOptions};
use pgjobq::observe::{Statement, TelemetryHook};
use pgjobq::sqlx::{self, PgPool};
use pgjobq::{Client, Worker};

use crate::browser::Browser;

const LOADS: usize = 50;
const VIEWERS: usize = 100;
/// Pages that the navigation does not link to.
const DETAILS: [&str; 9] = [
    "jobs?filter=state+%3D+%27ready%27",
    "jobs?filter=state+%3D+%27dead%27",
    "jobs?filter=state+%3D+%27scheduled%27",
    "jobs?filter=kind+%3D+%27kind_17%27+and+state+%3D+%27dead%27",
    "jobs?filter=tenant+%3D+17",
    "jobs?filter=error+contains+%27no+such+text%27",
    "queue?name=bulk",
    "preview?action=cancel&filter=queue+%3D+%27bulk%27",
    "preview?action=requeue&filter=state+%3D+%27dead%27",
];

/// Counts statements by name.
#[derive(Clone, Default)]
struct Counter(Arc<Mutex<BTreeMap<String, usize>>>);

impl TelemetryHook for Counter {
    fn on_statement(&self, statement: &Statement) {
        *self.0.lock().unwrap().entry(statement.name.to_string()).or_default() += 1;
    }
}

/// The worker needs one, and nobody enqueues it.
#[pgjobq::job]
async fn idle() {}

#[tokio::main]
async fn main() {
    let jobs: i64 = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(10_000_000);
    let options = ServerOptions::durable().set("shared_buffers", "1GB").set("max_wal_size", "8GB");
    let server = Server::start(options).await.unwrap();
    let pool = PgPool::connect(&server.url("postgres")).await.unwrap();
    let counter = Counter::default();
    let client = Client::builder(pool.clone()).telemetry_hook(counter.clone()).build().unwrap();
    client.migrate().await.unwrap();
    fill(&client, &pool, jobs).await;
    let worker = Worker::builder(&client).queue("default", 1).build().await.unwrap().start();
    let app = || pgjobq_web::router(&client).interval(Duration::from_secs(1)).open_to_everyone();
    let browser = Browser::new(app());
    println!("{:<70} {:>8} {:>8} {:>8}", "screen", "p50", "p95", "longest");
    for path in paths(&browser).await {
        measure(&browser, &path).await;
    }
    view(&Browser::new(app()), &counter).await;
    worker.shutdown().await.unwrap();
}

async fn fill(client: &Client, pool: &PgPool, jobs: i64) {
    let began = Instant::now();
    for name in (0..10).map(|n| format!("queue.{n}")).chain(["bulk".to_owned()]) {
        client.queue(name).save().await.unwrap();
    }
    let part = (jobs / 10).max(1);
    for _ in 0..jobs / part {
        sqlx::query(include_str!("fill.sql")).bind(part).execute(pool).await.unwrap();
    }
    let later =
        "select pgjobq.enqueue('later', queue => 'queue.1', run_at => now() + n * interval '1 minute')
                   from generate_series(1, 100000) n";
    for sql in [later, "vacuum analyze pgjobq.jobs", "vacuum analyze pgjobq.finished", "checkpoint"] {
        sqlx::raw_sql(sql).execute(pool).await.unwrap();
    }
    let size = "select pg_size_pretty(pg_database_size(current_database()))";
    let size: String = sqlx::query_scalar(size).fetch_one(pool).await.unwrap();
    println!("{jobs} jobs, {size}, made in {:.0} s\n", began.elapsed().as_secs_f64());
}

/// Returns the screens of the navigation, and pages of their details.
async fn paths(browser: &Browser) -> Vec<String> {
    let page = browser.get("overview").await.body;
    let navigation = page.split("<nav class=\"screens\"").nth(1).unwrap().split("</nav>").next().unwrap();
    let links = navigation.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    let mut paths: Vec<String> = links.chain(DETAILS.map(str::to_owned)).collect();
    let jobs = browser.get(DETAILS[1]).await;
    let links = jobs.attributes("href");
    paths.extend(links.iter().find(|link| link.starts_with("job?")).cloned());
    paths.extend(links.into_iter().find(|link| link.contains("after=")));
    paths
}

async fn measure(browser: &Browser, path: &str) {
    let mut took = Vec::new();
    for _ in 0..LOADS {
        let began = Instant::now();
        let page = browser.get(path).await;
        took.push(began.elapsed());
        assert_eq!(page.status, 200, "{path}: {}", page.text());
    }
    took.sort();
    let millis = |share: usize| took[(LOADS - 1) * share / 100].as_secs_f64() * 1e3;
    println!("{path:<70.70} {:>5.0} ms {:>5.0} ms {:>5.0} ms", millis(50), millis(95), millis(100));
}

/// A hundred viewers look at the overview at once, five times.
async fn view(browser: &Browser, counter: &Counter) {
    browser.get("overview").await;
    counter.0.lock().unwrap().clear();
    let began = Instant::now();
    for _ in 0..5 {
        let pages = join_all((0..VIEWERS).map(|_| browser.get("overview"))).await;
        assert!(pages.iter().all(|page| page.status == 200));
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "\n{VIEWERS} viewers loaded the overview 5 times in {seconds:.1} s, with these statements of the client, the worker's included:"
    );
    for (name, number) in counter.0.lock().unwrap().iter() {
        println!("{number:>6} {name}");
    }
}
