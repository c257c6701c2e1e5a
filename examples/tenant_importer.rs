//! Tenants that share one importer, and none of which starves: `cargo run --example tenant_importer`

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq::prelude::*;
use tokio::sync::Mutex;

/// The work of the handlers of one tenant.
#[derive(Default)]
struct Tally {
    running: u32,
    most_at_once: u32,
    done: u32,
}

type Ledger = Arc<Mutex<BTreeMap<String, Tally>>>;

/// Imports one file of a tenant: two at a time of each tenant, in all workers together.
#[job(key = tenant, concurrency = 2)]
async fn import(tenant: String, file: u32, ledger: State<Ledger>) -> Result<u32> {
    {
        let mut ledger = ledger.lock().await;
        let tally = ledger.entry(tenant.clone()).or_default();
        tally.running += 1;
        tally.most_at_once = tally.most_at_once.max(tally.running);
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    let mut ledger = ledger.lock().await;
    let tally = ledger.entry(tenant).or_default();
    tally.running -= 1;
    tally.done += 1;
    Ok(file)
}

/// The tenants, with their numbers of files. The largest comes first.
const TENANTS: [(&str, u32); 4] = [("acme", 150), ("bolt", 30), ("cafe", 6), ("dora", 1)];

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;

    let files = TENANTS
        .iter()
        .flat_map(|(tenant, files)| (1..=*files).map(|file| import::job((*tenant).to_owned(), file)));
    let enqueued = client.enqueue_all(files).await?;
    println!("{} files wait; those of dora wait behind those of acme, bolt and cafe", enqueued.new);

    let ledger = Ledger::default();
    let worker = Worker::builder(&client).queue("default", 20).state(Arc::clone(&ledger));
    let worker = worker.build().await?.start();

    // The live table: how many files of each tenant are done, and how many run.
    let start = Instant::now();
    println!("  seconds  {}", TENANTS.map(|(tenant, _)| format!("{tenant:>12}")).concat());
    let mut order = Vec::new();
    while order.len() < TENANTS.len() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let ledger = ledger.lock().await;
        let cell = |(tenant, files): (&str, u32)| match ledger.get(tenant) {
            Some(Tally { running, done, .. }) => format!("{:>12}", format!("{done}/{files} +{running}")),
            None => format!("{:>12}", format!("0/{files}")),
        };
        println!("  {:>7.1}  {}", start.elapsed().as_secs_f64(), TENANTS.map(cell).concat());
        for (tenant, files) in TENANTS {
            if ledger.get(tenant).is_some_and(|tally| tally.done == files) && !order.contains(&tenant) {
                order.push(tenant);
            }
        }
    }
    worker.shutdown().await?;

    for (tenant, Tally { most_at_once, done, .. }) in &*ledger.lock().await {
        println!("{tenant}: {done} files, never more than two at once: {}", *most_at_once <= 2);
    }
    println!("the last to end: {}", order.last().copied().unwrap_or_default());
    Ok(())
}
