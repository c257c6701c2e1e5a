//! Dead jobs: list them, repair the cause, and put them back in line: `cargo run --example requeue_dead`

use std::sync::atomic::{AtomicBool, Ordering};

use pgjobq::prelude::*;

/// The mail server, which is down at first.
struct MailServer {
    up: AtomicBool,
}

#[job(queue = "newsletter", retries = 0)]
async fn newsletter(user: String, server: State<MailServer>) -> Result<()> {
    if !server.up.load(Ordering::Relaxed) {
        return Err("the mail server is down".into());
    }
    println!("sent to {user}");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;
    let worker = Worker::builder(&client)
        .state(MailServer { up: AtomicBool::new(false) })
        .on_dead(|job| async move { println!("alert: {} {} is dead", job.kind, job.id) })
        .build()
        .await?
        .start();

    let ada = newsletter::enqueue(&client, "ada".to_owned()).await?;
    println!("{:?}", ada.wait(&client).await?.completed());

    // Dead jobs are kept for thirty days, with their arguments and every failed attempt.
    for job in client.dead_jobs().queue("newsletter").list(10).await? {
        for failed in &job.errors {
            println!("{} {}: attempt {}: {}", job.kind, job.args, failed.attempt, failed.message);
        }
    }

    // The cause is repaired: here, a new worker has a server that is up.
    worker.shutdown().await?;
    let worker =
        Worker::builder(&client).state(MailServer { up: AtomicBool::new(true) }).build().await?.start();

    // All of a kind or a queue; or one, by its id: `client.job(id).requeue()`.
    println!("{} back in line", client.dead_jobs().kind(newsletter::KIND).requeue().await?);
    println!("{:?}", ada.wait(&client).await?);
    worker.shutdown().await?;
    Ok(())
}
