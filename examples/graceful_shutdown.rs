//! A graceful shutdown: running jobs may finish, the rest goes back: `cargo run --example graceful_shutdown`

use std::time::Duration;

use pgjobq::prelude::*;

/// Ends within the grace.
#[job]
async fn short() -> Result<()> {
    tokio::time::sleep(Duration::from_millis(50)).await;
    Ok(())
}

/// Does not: it is asked to stop, and is released. That costs it no retry, and another worker runs it at once.
#[job(retries = 0)]
async fn long(ctx: JobContext) -> Result<String> {
    if ctx.attempt() > 1 {
        return Ok(format!("attempt {}, {} failures", ctx.attempt(), ctx.failures()));
    }
    let reason = ctx.stop_requested().await; // A real job saves its work so far.
    println!("long: asked to stop ({reason:?})");
    Err("stopped".into())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init(); // The worker logs when it starts and when it has ended.
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;
    let (short, long) = (short::enqueue(&client).await?, long::enqueue(&client).await?);

    // A real program passes `shutdown_signal()`: Ctrl-C or SIGTERM. A second signal ends the grace.
    let deploy = async {
        while !both_run(&client).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let worker = Worker::builder(&client).grace(Duration::from_millis(500)).build().await?;
    worker.run_until(deploy).await?;
    println!("short: {:?}", short.wait(&client).await?);
    println!("long:  {}", long.status(&client).await?.map_or("gone".to_owned(), |job| job.state.to_string()));

    // The next version of the program starts.
    let worker = Worker::builder(&client).build().await?.start();
    println!("long:  {:?}", long.wait(&client).await?);
    worker.shutdown().await?;
    Ok(())
}

async fn both_run(client: &Client) -> bool {
    let stats = client.queue("default").stats().await.ok().flatten().unwrap_or_default();
    stats.running > 0 && stats.ready == 0
}
