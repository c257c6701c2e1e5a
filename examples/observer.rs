//! What happens inside a program, event by event: `cargo run --example observer`

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pgjobq::observe::{Event, Observer, Outcome};
use pgjobq::prelude::*;

#[job(retries = 1, backoff = "10ms")]
async fn charge(customer: String) -> Result<u32> {
    if customer == "mallory" { Err("the card is declined".into()) } else { Ok(42) }
}

/// Prints what a person should know, and counts the rest.
struct Watch {
    completed: Arc<AtomicU64>,
}

impl Observer for Watch {
    // In a thread of its own: it may block, and delays no job.
    fn on_event(&self, event: &Event) {
        match event {
            Event::Ended(ended) => match ended.outcome {
                Outcome::Completed => _ = self.completed.fetch_add(1, Ordering::Relaxed),
                Outcome::Retried => println!("attempt {} of {} failed", ended.job.attempt, ended.job.kind),
                Outcome::Dead => println!("{} is dead after attempt {}", ended.job.kind, ended.job.attempt),
                _ => {}
            },
            Event::CrashRecovered(crash) => println!("after a crash {} jobs run again", crash.requeued),
            Event::ConnectionLost(lost) => println!("the database does not answer: {}", lost.error),
            Event::Dropped(dropped) => println!("this observer was too slow for {} events", dropped.count),
            _ => {}
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let completed = Arc::new(AtomicU64::new(0));
    let client = Client::builder(sqlx::PgPool::connect(database.url()).await?)
        .observer(Watch { completed: Arc::clone(&completed) })
        .build()?;
    client.migrate().await?;
    let worker = Worker::builder(&client).queue("default", 4).build().await?.start();

    for customer in ["ada", "grace", "mallory"] {
        charge::call(&client, customer.to_owned()).await.ok(); // An error is that of the job.
    }
    worker.shutdown().await?; // Waits until the observers have seen the last event, as `client.close()` does.
    println!("{} jobs completed", completed.load(Ordering::Relaxed));
    Ok(())
}
