//! Cancelling: a waiting job never runs, a running one is asked to stop: `cargo run --example cancel`

use std::time::Duration;

use pgjobq::prelude::*;

/// Stops between two pages when it is asked to. Without this it would be dropped at an `.await`, some seconds later.
#[job]
async fn import(ctx: JobContext, pages: u32) -> Result<u32> {
    for page in 1..=pages {
        if ctx.should_stop() {
            println!("import: stops before page {page}");
            return Err("stopped".into()); // The job ends as cancelled: somebody asked for that.
        }
        ctx.progress(u8::try_from(page * 100 / pages)?, format!("page {page}"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(pages)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;
    let worker = Worker::builder(&client).build().await?.start();

    // This job waits for an hour. After the answer it is certain that it never runs.
    let waiting = import::job(3).delay(Duration::from_secs(3600)).enqueue(&client).await?;
    let answer = waiting.cancel(&client).by("ada").because("ordered twice").await?;
    println!("waiting: {answer:?}");

    // This one runs. The answer says that it was asked; `wait` returns when it has stopped.
    let running = import::enqueue(&client, 100_000).await?;
    while running.progress(&client).await?.is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("running: {:?}", running.cancel(&client).await?);
    println!("running: {:?}", running.wait(&client).await?);

    // The request is kept with the job.
    let cancelled = waiting.status(&client).await?.and_then(|job| job.cancelled);
    if let Some(request) = cancelled {
        println!("waiting: cancelled by {}: {}", request.by, request.reason.unwrap_or_default());
    }

    // The same from SQL, inside a transaction if you like.
    let from_sql = import::job(3).delay(Duration::from_secs(3600)).enqueue(&client).await?;
    let cancel = "select pgjobq.cancel($1, 'ordered twice')";
    sqlx::query(cancel).bind(from_sql.id().as_uuid()).execute(client.pool()).await?;
    println!("by SQL:  {:?}", from_sql.wait(&client).await?);

    worker.shutdown().await?;
    Ok(())
}
