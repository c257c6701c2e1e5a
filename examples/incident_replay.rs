//! After an incident: look at what died, put it back at a pace that the repaired service can take, and see why one of them
//! waits: `cargo run --example incident_replay`

use std::sync::atomic::{AtomicBool, Ordering};

use pgjobq::filter::{kind, state};
use pgjobq::prelude::*;
use pgjobq::{JobState, Priority};

/// The mail server, which is down at first.
static SERVER_IS_UP: AtomicBool = AtomicBool::new(false);

#[job(queue = "receipts", retries = 0, attributes(tenant))]
async fn send_receipt(tenant: u32, order: u32) -> Result<()> {
    if !SERVER_IS_UP.load(Ordering::Relaxed) {
        return Err(format!("order {order} of tenant {tenant}: the mail server is down").into());
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;
    client.jobs(kind(send_receipt::KIND)).delete().await?; // Those of an earlier run of this example.

    // The incident: every receipt fails.
    let worker = Worker::builder(&client).build().await?.start();
    client.enqueue_all((1..=40).map(|order| send_receipt::job(order % 4, order))).await?;
    let dead = client.jobs(kind(send_receipt::KIND).and(state(JobState::Dead)));
    while dead.count().await?.jobs < 40 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    worker.shutdown().await?;

    // The cause is repaired. First look: how many, and some of them.
    SERVER_IS_UP.store(true, Ordering::Relaxed);
    let replay = dead.requeue().rate("20 per second").by("ada").because("the mail server is back");
    println!("{}", replay.preview().await?);

    // Then put them back, not all at once. If this program died now, any worker would go on.
    println!("{}", replay.await?);

    // One tenant is in a hurry. The text form of a filter is for command lines and web pages.
    let hurry = client.jobs("tenant = 3 and state = 'ready'".parse()?);
    println!("{}", hurry.set_priority(Priority::High).by("ada").await?);

    // Why does this one not run? No worker takes its queue just now.
    if let Some(first) = hurry.list(1).await?.jobs.first() {
        println!("{}", client.job(first.id).explain().await?);
    }

    let worker = Worker::builder(&client).build().await?.start();
    while client.jobs(kind(send_receipt::KIND).and(state(JobState::Completed))).count().await?.jobs < 40 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    println!("all receipts are sent");
    worker.shutdown().await?;
    Ok(())
}
