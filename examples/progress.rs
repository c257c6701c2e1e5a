//! Progress: a running job reports how far it is, and any process can read it: `cargo run --example progress`

use std::time::Duration;

use pgjobq::prelude::*;

#[job]
async fn transcode(ctx: JobContext, frames: u32) -> Result<u32> {
    for frame in 1..=frames {
        // Only remembered here. The worker writes the latest report, at most four times a second.
        ctx.progress(u8::try_from(frame * 100 / frames)?, format!("frame {frame} of {frames}"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(frames)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;
    let worker = Worker::builder(&client).build().await?.start();

    let handle = transcode::enqueue(&client, 50).await?;
    // Waits, and looks at the progress meanwhile.
    let outcome = loop {
        tokio::select! {
            outcome = handle.wait(&client) => break outcome?,
            () = tokio::time::sleep(Duration::from_millis(250)) => {}
        }
        if let Some(progress) = handle.progress(&client).await? {
            println!("{:>3} %  {}", progress.percent, progress.message);
        }
    };
    println!("{outcome:?}");

    // Progress belongs to the attempt that runs; an ended job has none.
    println!("after the end: {:?}", handle.progress(&client).await?);
    worker.shutdown().await?;
    Ok(())
}
