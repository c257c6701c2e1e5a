//! Computes the digest of every file in a folder, each in a job of its own: `cargo run --example quickstart [FOLDER]`

use std::path::{Path, PathBuf};
use std::time::Instant;

use pgjobq::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

#[derive(Debug, Serialize, Deserialize)]
struct Summary {
    bytes: usize,
    sha256: String,
}

/// A job is an async function. Its arguments and its result are stored as JSON: any type that serde supports.
#[job(retries = 2, backoff = "100ms")]
async fn digest(file: PathBuf) -> Result<Summary> {
    let content = tokio::fs::read(file).await?; // Any error: the job is retried later.
    let sha256 = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Summary { bytes: content.len(), sha256 })
}

#[job(retries = 2, backoff = "100ms")]
async fn third_time_lucky(ctx: JobContext) -> Result<String> {
    if ctx.failures() < 2 {
        return Err("not yet".into());
    }
    Ok(format!("attempt {} did it", ctx.attempt()))
}

#[job]
async fn hopeless(account: u32) -> Result<()> {
    Err(JobError::fatal(format!("there is no account {account}"))) // Trying again cannot help.
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init(); // Without a subscriber no log is seen.
    let folder = std::env::args().nth(1).unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;
    let worker = Worker::builder(&client).build().await?.start(); // Here, in another process, or in many.

    let (begun, files) = (Instant::now(), files_in(Path::new(&folder))?);
    let lucky = third_time_lucky::enqueue(&client).await?;
    let dead = hopeless::enqueue(&client, 7).await?;
    let jobs: Vec<_> = files.iter().cloned().map(digest::job).collect();
    let handles: Vec<_> = jobs.iter().map(|job| digest::handle(job.job_id())).collect();
    client.enqueue_all(jobs).await?;

    let bar = indicatif::ProgressBar::new(files.len() as u64); // Visible on a terminal only.
    let mut rows = Vec::new();
    for (file, handle) in files.iter().zip(handles) {
        match handle.wait(&client).await? {
            Outcome::Completed(summary) => rows.push((summary, file)),
            other => bar.suspend(|| eprintln!("{}: {other:?}", file.display())),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();

    rows.sort_by_key(|(summary, _)| std::cmp::Reverse(summary.bytes));
    println!("{:>9}  {:16}  the largest files of {folder}", "bytes", "sha256");
    for (Summary { bytes, sha256 }, file) in rows.iter().take(10) {
        println!("{bytes:>9}  {sha256:.16}  {}", file.strip_prefix(&folder)?.display());
    }
    let bytes: usize = rows.iter().map(|(summary, _)| summary.bytes).sum();
    println!("{bytes:>9}  in {} files: {} jobs in {:.2?}\n", rows.len(), files.len() + 2, begun.elapsed());
    println!("third_time_lucky  {:?}", lucky.wait(&client).await?); // An Outcome<String>: the compiler knows.
    if let Outcome::Dead(failure) = dead.wait(&client).await? {
        println!("hopeless          Dead: {failure}");
    }
    worker.shutdown().await?; // Claims nothing more, and lets running jobs finish.
    Ok(())
}

fn files_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let (path, kind, name) = entry.and_then(|it| Ok((it.path(), it.file_type()?, it.file_name())))?;
        if kind.is_file() {
            files.push(path);
        } else if kind.is_dir() && !["target", "node_modules", ".git"].iter().any(|other| name == *other) {
            files.extend(files_in(&path)?); // Symbolic links are not followed.
        }
    }
    Ok(files)
}
