//! A search index that takes documents in bulk: `cargo run --example search_indexer`

use std::sync::Arc;

use pgjobq::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

#[derive(Clone, Serialize, Deserialize)]
struct Document {
    number: u32,
    title: String,
}

/// The search engine. A request costs the same for one document or for hundreds, and has an answer for each.
#[derive(Default)]
struct Engine {
    requests: u32,
    titles: Vec<String>,
}

impl Engine {
    fn index<'d>(&mut self, documents: impl Iterator<Item = &'d Document>) -> Vec<Result<(), JobError>> {
        self.requests += 1;
        let index = |document: &Document| {
            if document.title.is_empty() {
                return Err(JobError::fatal("a document without a title")); // Trying again cannot help.
            }
            self.titles.push(document.title.clone());
            Ok(())
        };
        documents.map(index).collect()
    }
}

/// Indexes a document: one call for at most 200 of them, or for those that came within 50 milliseconds.
#[job(batch = 200, within = "50ms")]
async fn index(documents: Batch<Document>, engine: State<Arc<Mutex<Engine>>>) -> BatchResult {
    let answers = engine.lock().await.index(documents.iter().map(|document| document.args()));
    documents.settle(answers) // Each job ends with its own answer.
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;

    // Each document is a job of its own, enqueued like any other.
    let document = |number: u32| Document {
        number,
        title: if number == 777 { String::new() } else { format!("document {number}") },
    };
    let jobs = client.enqueue_each((1..=1000).map(|number| index::job(document(number)))).await?;

    let engine = Arc::new(Mutex::new(Engine::default()));
    let worker =
        Worker::builder(&client).queue("default", 2).state(Arc::clone(&engine)).build().await?.start();
    let mut indexed = 0;
    for (job, number) in jobs.iter().zip(1..) {
        match job.wait(&client).await? {
            Outcome::Completed(()) => indexed += 1,
            Outcome::Dead(failure) => println!("document {number} is dead: {failure}"),
            other => println!("document {number}: {other:?}"),
        }
    }
    worker.shutdown().await?;

    let engine = engine.lock().await;
    println!("{indexed} documents indexed, {} titles in the engine", engine.titles.len());
    println!("in less than 100 requests: {}", engine.requests < 100);
    Ok(())
}
