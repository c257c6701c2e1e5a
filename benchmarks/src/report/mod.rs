//! The report of a measurement: the JSON file, the tables and the plots.

mod figures;
mod machine;
mod numbers;
mod plots;
mod stats;
mod tables;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::cli::Options;
use crate::peers::Entry;
use crate::sample::Sample;
pub(crate) use machine::Machine;

/// The content of the JSON file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    machine: Machine,
    peers: Vec<Settings>,
    pub(crate) samples: Vec<Sample>,
}

/// The settings of a peer.
#[derive(Debug, Serialize, Deserialize)]
struct Settings {
    name: String,
    version: String,
    settings: String,
}

impl Report {
    pub(crate) fn new(machine: Machine, peers: &[&Entry]) -> Self {
        let settings = |peer: &&Entry| Settings {
            name: peer.name.to_owned(),
            version: peer.version.to_owned(),
            settings: peer.settings.to_owned(),
        };
        let peers = peers.iter().map(settings).collect();
        Self { machine, peers, samples: Vec::new() }
    }

    fn add(&mut self, other: Self) {
        self.samples.extend(other.samples);
        for peer in other.peers {
            if self.peers.iter().all(|known| known.name != peer.name) {
                self.peers.push(peer);
            }
        }
    }

    pub(crate) fn save(&self, file: Option<&Path>) -> Result<()> {
        let Some(file) = file else { return Ok(()) };
        fs::write(file, serde_json::to_string_pretty(self)?)
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// Prints the tables, and writes the plots.
    pub(crate) fn show(&self, plots: Option<&Path>) -> Result<()> {
        print!("{}", tables::all(self));
        let Some(folder) = plots else { return Ok(()) };
        fs::create_dir_all(folder)?;
        for (name, svg) in plots::all(self) {
            fs::write(folder.join(name), svg)?;
        }
        Ok(())
    }
}

/// The tables and plots of earlier measurements on one machine, together.
pub(crate) fn from_files(options: &Options) -> Result<()> {
    let mut all: Option<Report> = None;
    for file in &options.from {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let report: Report = serde_json::from_str(&text)?;
        match &mut all {
            None => all = Some(report),
            Some(all) => all.add(report),
        }
    }
    all.context("--from needs a file")?.show(options.plot.as_deref())
}

/// One run, as a line of the log.
pub(crate) fn line(sample: &Sample) -> String {
    let latency = sample.latency.map(|latency| format!(", p50 {:.2} p99 {:.2} ms", latency.p50, latency.p99));
    let disturbed = if sample.is_disturbed() { "  DISTURBED" } else { "" };
    format!(
        "{:13} {:16} round {}: {:>9} jobs/s{}, server {:.1} client {:.1} us/job, others {:.2} cores{disturbed}",
        sample.workload,
        sample.peer,
        sample.round + 1,
        numbers::short(sample.jobs_per_second()),
        latency.unwrap_or_default(),
        sample.per_job(sample.usage.server_cpu) * 1e6,
        sample.per_job(sample.usage.client_cpu) * 1e6,
        sample.usage.others,
    )
}
