//! Measures pgjobq beside its peers, on a durable PostgreSQL of its own. The README of this crate says how.
//!
//! The *conductor* starts the server and one child process for each run; [`child`] measures, [`report`] compares.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod child;
mod cli;
mod conduct;
mod drained;
mod handled;
mod job;
mod meter;
mod peers;
mod proxy;
mod report;
mod sample;
mod server;
mod stage;
mod workloads;

use cli::Command;

fn main() -> anyhow::Result<()> {
    let command = cli::parse(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match command {
            Command::Measure(options) => conduct::measure(options).await,
            Command::Report(options) => report::from_files(&options),
            Command::List => {
                print!("{}", cli::listing());
                Ok(())
            }
            Command::Run(spec) => child::run(spec).await,
            Command::Work(spec) => child::work(spec).await,
        }
    })
}
