//! Many jobs at once, of several kinds, and none of them twice: `cargo run --example bulk`

use pgjobq::prelude::*;

#[job(queue = "accounts")]
async fn invoice(customer: u32) -> Result<u32> {
    Ok(customer)
}

#[job(queue = "accounts")]
async fn statement(customer: u32, year: i32) -> Result<String> {
    Ok(format!("{year} of customer {customer}"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;
    let worker = Worker::builder(&client).build().await?.start();

    // One statement per thousand jobs. An iterator is read as it is sent, so it may be longer than the memory.
    let invoices = (1..=2500).map(invoice::job);
    println!("{:?}", client.enqueue_all(invoices).await?);

    // Jobs of several kinds: `any` drops the type of a job's result.
    let last = statement::job(7, 2026);
    let id = last.job_id(); // A job has its id before it is enqueued.
    let jobs = [invoice::job(7).any(), last.any()];

    // All or nothing, and together with your own writes: in a transaction.
    let mut tx = client.pool().begin().await?;
    pgjobq::enqueue_all(&mut *tx, jobs).await?;
    tx.commit().await?;
    println!("{:?}", statement::handle(id).wait(&client).await?);

    // The same id again is a duplicate while its job lives, never a second job.
    let tomorrow = std::time::Duration::from_secs(24 * 60 * 60);
    let first = invoice::job(8).delay(tomorrow).enqueue(&client).await?;
    let again = invoice::job(8).id(first.id()).enqueue(&client).await?;
    println!("new: {}, then {}", first.is_new(), again.is_new());
    first.cancel(&client).await?;

    worker.shutdown().await?;
    Ok(())
}
