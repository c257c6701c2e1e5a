//! Map and reduce: a step lists a folder, and adds a step for each file and one that adds up: `cargo run --example word_count`
//!
//! `cargo run --example word_count -- FOLDER` counts the words of another folder.

use std::path::PathBuf;

use pgjobq::prelude::*;

/// Lists the files of a folder. The steps that it adds are enqueued when it completes, in the same transaction. If it fails
/// before, nothing of them is left, and its retry adds its own.
#[job]
async fn list(ctx: JobContext, folder: PathBuf) -> Result<()> {
    let growth = ctx.workflow()?;
    let mut counts: Vec<Step<usize>> = Vec::new();
    let mut files = tokio::fs::read_dir(folder).await?;
    while let Some(file) = files.next_entry().await? {
        if file.file_type().await?.is_file() {
            counts.push(growth.add(count::step(file.path())));
        }
    }
    if !counts.is_empty() {
        // The argument is a `Vec` of all counts, in this order.
        growth.add(add_up::step(gather(counts.iter().map(Step::output))));
    }
    Ok(())
}

#[job]
async fn count(path: PathBuf) -> Result<usize> {
    let text = tokio::fs::read(path).await?;
    Ok(String::from_utf8_lossy(&text).split_whitespace().count())
}

#[job]
async fn add_up(counts: Vec<usize>) -> Result<usize> {
    let words = counts.iter().sum();
    println!("{words} words in {} files", counts.len());
    Ok(words)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;
    let worker = Worker::builder(&client).build().await?.start();

    let folder = std::env::args().nth(1);
    let folder = folder.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/examples").to_owned());
    let mut flow = Workflow::new("word count");
    flow.add(list::step(PathBuf::from(folder)));
    let run = flow.enqueue(&client).await?;

    // The workflow ends when all of its steps have, also those that were added.
    println!("the workflow {}", run.wait(&client).await?);
    println!("{} steps", run.status(&client).await?.expect("it is kept for a day").total());
    worker.shutdown().await?;
    Ok(())
}
