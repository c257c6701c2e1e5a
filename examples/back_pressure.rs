//! A producer that is faster than its workers: `cargo run --example back_pressure`

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{EnqueueError, WhenFull};

#[job(queue = "uploads")]
async fn upload(number: u32) -> Result<u32> {
    tokio::time::sleep(Duration::from_millis(5)).await;
    Ok(number)
}

#[job(queue = "samples")]
async fn sample(value: u32) -> Result<u32> {
    Ok(value)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;

    // At most 20 uploads are live at any time, however many processes enqueue.
    client.queue("uploads").bounded(20).save().await?;
    let worker = Worker::builder(&client).queue("uploads", 4).build().await?.start();

    // The producer goes on as uploads end. Neither the table nor the memory grows with the number of jobs.
    let producer = tokio::spawn({
        let client = client.clone();
        async move { client.enqueue_all((1..=400).map(upload::job)).await }
    });
    let mut most = 0;
    while !producer.is_finished() {
        most = most.max(20 - client.queue("uploads").room().await?.expect("it is bounded"));
    }
    println!("{} uploads were enqueued, at most {} at a time", producer.await??.new, most);

    // Who cannot wait, such as a request handler, gets an answer at once. So does an enqueue in a transaction.
    worker.shutdown().await?;
    let room = client.queue("uploads").room().await?.expect("it is bounded");
    client.enqueue_all((0..u32::try_from(room)?).map(upload::job)).await?;
    match upload::job(401).try_enqueue(&client).await {
        Err(EnqueueError::QueueFull { queue, bound }) => {
            println!("503: {queue} has {bound} jobs, come back later")
        }
        enqueued => println!("202: {}", enqueued?.id()),
    }

    // Of measurements, only the latest are worth anything.
    client.queue("samples").bounded(3).when_full(WhenFull::DropOldest).save().await?;
    for value in 1..=10 {
        sample::enqueue(&client, value).await?;
    }
    let worker = Worker::builder(&client).queue("samples", 1).build().await?.start();
    let handle = sample::enqueue(&client, 11).await?;
    println!("the last sample: {:?}", handle.wait(&client).await?);
    let dropped = client.cancelled_jobs().kind("sample").list(100).await?.len();
    println!("samples were dropped: {}", dropped >= 7);
    worker.shutdown().await?;
    Ok(())
}
