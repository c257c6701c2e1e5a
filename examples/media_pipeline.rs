//! A pipeline of typed steps: probe a file, encode it twice, publish both, clean up: `cargo run --example media_pipeline`
//!
//! The "video" is this project's README, and to encode it means to wrap its lines.

use std::path::PathBuf;

use pgjobq::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Info {
    path: PathBuf,
    longest_line: usize,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Preset {
    Wide,
    Narrow,
}

#[job]
async fn probe(path: PathBuf) -> Result<Info> {
    let text = tokio::fs::read_to_string(&path).await?;
    let longest_line = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    Ok(Info { path, longest_line })
}

#[job]
async fn encode(info: Info, preset: Preset, folder: PathBuf) -> Result<PathBuf> {
    let (width, name) = match preset {
        Preset::Wide => (info.longest_line.min(100), "wide.txt"),
        Preset::Narrow => (info.longest_line.min(40), "narrow.txt"),
    };
    let mut wrapped = String::new();
    for line in tokio::fs::read_to_string(&info.path).await?.lines() {
        for part in line.chars().collect::<Vec<_>>().chunks(width.max(1)) {
            wrapped.extend(part.iter().chain(&['\n']));
        }
    }
    tokio::fs::create_dir_all(&folder).await?;
    tokio::fs::write(folder.join(name), wrapped).await?;
    Ok(folder.join(name))
}

#[job]
async fn publish(encoded: Vec<PathBuf>) -> Result<usize> {
    let mut lines = 0;
    for path in encoded {
        lines += tokio::fs::read_to_string(path).await?.lines().count();
    }
    Ok(lines)
}

#[job]
async fn clean_up(folder: PathBuf) -> Result<()> {
    Ok(tokio::fs::remove_dir_all(folder).await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;
    let worker = Worker::builder(&client).build().await?.start();

    let video = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
    let folder = std::env::temp_dir().join(format!("media_pipeline_{}", std::process::id()));
    let mut flow = Workflow::new("media");
    let info = flow.add(probe::step(video));
    // `info.output()` is an `Info`. An argument of any other type would not compile.
    let wide = flow.add(encode::step(info.output(), Preset::Wide, folder.clone()).named("wide"));
    let narrow = flow.add(encode::step(info.output(), Preset::Narrow, folder.clone()).named("narrow"));
    let page = flow.add(publish::step(gather([wide.output(), narrow.output()])));
    flow.add(clean_up::step(folder).after_any_end(&page));
    println!("{}", flow.graph().mermaid());

    let run = flow.enqueue(&client).await?;
    run.wait(&client).await?.into_result()?;
    println!("{}", run.graph(&client).await?.expect("it is kept for a day").mermaid());
    println!("{} lines are published", run.output(&client, &page).await?.into_result()?);
    worker.shutdown().await?;
    Ok(())
}
