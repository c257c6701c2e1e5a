//! Several queues with their own limits, and priorities within one: `cargo run --example queues`

use std::time::Duration;

use pgjobq::prelude::*;

/// Urgent and short. It has a queue of its own, so that no report takes its slots.
#[job(queue = "notices", priority = "critical")]
async fn notice(text: String) -> Result<()> {
    println!("notice: {text}");
    Ok(())
}

#[job(queue = "reports")]
async fn report(name: String) -> Result<()> {
    tokio::time::sleep(Duration::from_millis(20)).await;
    println!("report: {name}");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;

    // `save` creates the queue if it does not exist. An enqueue to an unknown queue fails.
    client.queue("reports").save().await?;

    let mut handles = Vec::new();
    for (name, priority) in
        [("weekly", Priority::Low), ("daily", Priority::Normal), ("by the boss", Priority::High)]
    {
        handles.push(report::job(name.to_owned()).priority(priority).enqueue(&client).await?);
    }
    let stats = client.queue("reports").stats().await?.unwrap_or_default();
    println!("{} reports are ready", stats.ready);

    // This worker serves two queues. One report runs at a time, and up to fifty notices beside it.
    let worker = Worker::builder(&client).queue("notices", 50).queue("reports", 1).build().await?.start();
    notice::call(&client, "the boss is waiting".to_owned()).await?;
    for handle in handles {
        handle.wait(&client).await?.into_result()?;
    }
    worker.shutdown().await?;
    Ok(())
}
