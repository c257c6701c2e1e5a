//! The command line.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail};

use crate::child::WorkSpec;
use crate::peers;
use crate::stage::Spec;
use crate::workloads::{self, Group, Workload};

const USAGE: &str = "\
benchmarks [WORKLOAD…] [--peer NAME]… [--rounds N] [--jobs N] [--seconds N] [--wait N]
           [--json FILE] [--plot FOLDER]
benchmarks --from FILE… [--plot FOLDER]    one table of earlier measurements; --from for each file
benchmarks --list                          workloads and peers

A WORKLOAD is a name, `main` (if none is given) or `more`. Without --peer, every peer that is compiled in is measured.
--rounds    each peer runs once a round, by turns; 3 by default
--jobs      the number of jobs of a workload that has one
--seconds   the length of a workload that has one
--wait      before each run, wait at most N seconds until the machine is quiet; 10 by default
--json      writes the figures to this file, from which --from makes the tables again
--plot      draws plots into this folder
";

/// The options of the command line.
pub(crate) enum Command {
    Measure(Options),
    Report(Options),
    List,
    /// One run, in a child process.
    Run(Spec),
    /// A worker, in a child process of that.
    Work(WorkSpec),
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) workloads: Vec<String>,
    pub(crate) peers: Vec<String>,
    pub(crate) rounds: usize,
    pub(crate) jobs: Option<u64>,
    pub(crate) seconds: Option<f64>,
    pub(crate) wait: u64,
    pub(crate) json: Option<PathBuf>,
    pub(crate) plot: Option<PathBuf>,
    pub(crate) from: Vec<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        let (workloads, peers) = (Vec::new(), Vec::new());
        Self {
            workloads,
            peers,
            rounds: 3,
            jobs: None,
            seconds: None,
            wait: 10,
            json: None,
            plot: None,
            from: Vec::new(),
        }
    }
}

impl Options {
    /// The named workloads, in the order of the list.
    pub(crate) fn workloads(&self) -> Result<Vec<&'static Workload>> {
        let mut names = self.workloads.clone();
        if names.is_empty() {
            names.push("main".to_owned());
        }
        for name in names.iter().filter(|name| !["main", "more"].contains(&name.as_str())) {
            workloads::find(name)?;
        }
        let is_named = |workload: &&Workload| {
            let group = match workload.group {
                Group::Main => Some("main"),
                Group::More => Some("more"),
                Group::Long => None,
            };
            names.iter().any(|name| name == workload.name || Some(name.as_str()) == group)
        };
        Ok(workloads::ALL.iter().filter(is_named).collect())
    }

    pub(crate) fn peers(&self) -> Result<Vec<&'static peers::Entry>> {
        if self.peers.is_empty() {
            return Ok(peers::ALL.iter().collect());
        }
        self.peers.iter().map(|name| peers::find(name)).collect()
    }
}

pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Command> {
    let (mut options, mut arguments) = (Options::default(), arguments);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value\n\n{USAGE}"));
        match argument.as_str() {
            "--run" => return Ok(Command::Run(serde_json::from_str(&value()?)?)),
            "--work" => return Ok(Command::Work(serde_json::from_str(&value()?)?)),
            "--list" => return Ok(Command::List),
            "--peer" => options.peers.extend(value()?.split(',').map(str::to_owned)),
            "--rounds" => options.rounds = number(&value()?)?,
            "--jobs" => options.jobs = Some(number(&value()?)?),
            "--seconds" => options.seconds = Some(number(&value()?)?),
            "--wait" => options.wait = number(&value()?)?,
            "--json" => options.json = Some(value()?.into()),
            "--plot" => options.plot = Some(value()?.into()),
            "--from" => options.from.push(value()?.into()),
            other if other.starts_with('-') => bail!("unknown option {other}\n\n{USAGE}"),
            workload => options.workloads.push(workload.to_owned()),
        }
    }
    Ok(if options.from.is_empty() { Command::Measure(options) } else { Command::Report(options) })
}

/// A number, with or without underscores.
fn number<T: FromStr>(text: &str) -> Result<T> {
    let found = text.replace('_', "").parse().ok();
    found.with_context(|| format!("`{text}` is not a number\n\n{USAGE}"))
}

/// All workloads and peers.
pub(crate) fn listing() -> String {
    let mut list = String::new();
    for workload in workloads::ALL {
        // Writing to a string cannot fail.
        let _ = writeln!(
            list,
            "{:13} {:5} {}",
            workload.name,
            format!("{:?}", workload.group).to_lowercase(),
            workload.about
        );
    }
    for peer in peers::ALL {
        let _ = writeln!(list, "\n{} {}\n  {}", peer.name, peer.version, peer.settings);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(arguments: &[&str]) -> Options {
        match parse(arguments.iter().map(|argument| (*argument).to_owned())).unwrap() {
            Command::Measure(options) => options,
            _ => panic!("these arguments measure"),
        }
    }

    #[test]
    fn without_names_the_main_workloads_run() {
        let found = measured(&["--rounds", "5", "--jobs", "10_000"]);
        assert_eq!((found.rounds, found.jobs), (5, Some(10_000)));
        assert!(found.workloads().unwrap().iter().all(|workload| workload.group == Group::Main));
    }

    #[test]
    fn named_workloads_run_in_the_order_of_the_list() {
        let found = measured(&["backlog", "drain", "--peer", "pgjobq,limit"]);
        let names: Vec<_> = found.workloads().unwrap().iter().map(|workload| workload.name).collect();
        assert_eq!(names, ["drain", "backlog"]);
        assert_eq!(found.peers().unwrap().len(), 2);
        assert!(measured(&["drian"]).workloads().is_err());
    }

    #[test]
    fn no_workload_is_listed_twice() {
        let names: std::collections::BTreeSet<_> =
            workloads::ALL.iter().map(|workload| workload.name).collect();
        assert_eq!(names.len(), workloads::ALL.len());
        assert!(listing().contains("drain-100"));
    }
}
