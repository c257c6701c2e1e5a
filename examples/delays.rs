//! When a job starts: a delay, a time, and a time after which it is too late: `cargo run --example delays`

use std::time::{Duration, Instant, SystemTime};

use pgjobq::prelude::*;

#[job(queue = "reminders")]
async fn remind(text: String) -> Result<String> {
    Ok(text)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;
    client.queue("reminders").save().await?;

    // Not before: the clock of the database decides, to the microsecond.
    let (delay, begun) = (Duration::from_millis(300), Instant::now());
    let tea = remind::job("tea".to_owned()).delay(delay).enqueue(&client).await?;
    let soon = SystemTime::now() + Duration::from_millis(100);
    let call = remind::job("call".to_owned()).run_at(soon).enqueue(&client).await?;
    println!("tea is {}", tea.status(&client).await?.map_or("gone".to_owned(), |job| job.state.to_string()));

    // Not after: a job that no worker has started in time ends as expired, and never runs.
    let train = remind::job("train".to_owned()).expires_in(Duration::from_millis(1)).enqueue(&client).await?;
    tokio::time::sleep(Duration::from_millis(10)).await; // No worker runs yet.

    let worker = Worker::builder(&client).build().await?.start();
    println!("call:  {:?}", call.wait(&client).await?);
    println!("tea:   {:?}, not early: {}", tea.wait(&client).await?, begun.elapsed() >= delay);
    println!("train: {:?}", train.wait(&client).await?);
    worker.shutdown().await?;
    Ok(())
}
