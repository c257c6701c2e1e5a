//! Retries: an error is retried after a backoff, and a job can choose its delay or give up: `cargo run --example retries`

use std::time::Duration;

use pgjobq::prelude::*;

/// At most five tries follow the first failure: after 50 ms, 100 ms, 200 ms and so on, with a jitter of a fifth.
#[job(retries = 5, backoff = "50ms..10s", timeout = "2s")]
async fn fetch(ctx: JobContext, url: String) -> Result<String> {
    match ctx.failures() {
        0 => Err("connection reset".into()), // A failure. Its backoff decides when the next attempt starts.
        1 => Err(JobError::retry_in(Duration::from_millis(10)).because("429, Retry-After: 10 ms")),
        _ => Ok(format!("{url} on attempt {}", ctx.attempt())),
    }
}

/// A snooze is no failure and uses up no retry: "nothing to do yet".
#[job(retries = 0)]
async fn poll(ctx: JobContext) -> Result<u32> {
    if ctx.attempt() < 4 {
        return Err(JobError::snooze(Duration::from_millis(10)));
    }
    Ok(ctx.failures())
}

/// A fatal error ends the job at once, even with retries left.
#[job(retries = 20)]
async fn charge(iban: String) -> Result<()> {
    Err(JobError::fatal(format!("`{iban}` is no IBAN")))
}

/// Without retries left the job is dead. Every failed attempt is kept with it.
#[job(retries = 2, backoff = "10ms")]
async fn upload() -> Result<()> {
    Err("disk full".into())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;
    let worker = Worker::builder(&client).build().await?.start();

    let url = "https://example.org".to_owned();
    println!("fetch:  {:?}", fetch::enqueue(&client, url).await?.wait(&client).await?);
    println!("poll:   {:?} failures", poll::enqueue(&client).await?.wait(&client).await?);
    if let Outcome::Dead(failure) = charge::enqueue(&client, "42".to_owned()).await?.wait(&client).await? {
        println!("charge: dead after {} attempt: {}", failure.attempts, failure.message());
    }
    // A call may override the policy of its kind.
    if let Outcome::Dead(failure) = upload::job().retries(1).enqueue(&client).await?.wait(&client).await? {
        for attempt in &failure.errors {
            println!("upload: attempt {}: {}", attempt.attempt, attempt.message);
        }
    }
    worker.shutdown().await?;
    Ok(())
}
