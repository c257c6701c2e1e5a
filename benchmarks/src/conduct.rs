//! The conductor: rounds, peers by turns, one child process and one fresh database for each run.

use std::net::ToSocketAddrs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::cli::Options;
use crate::meter::{self, Pids};
use crate::peers::Entry;
use crate::proxy;
use crate::report::{self, Machine, Report};
use crate::sample::Sample;
use crate::server::Bench;
use crate::stage::Spec;
use crate::workloads::{Figure, Workload};

/// The longest time of one run.
const LIMIT: Duration = Duration::from_secs(1200);
/// For this long the machine must be quiet before a run.
const MOMENT: Duration = Duration::from_millis(300);
/// The name of the database of a run.
const DATABASE: &str = "bench";

/// Measures, prints the table, and writes the files.
pub(crate) async fn measure(options: Options) -> Result<()> {
    let (workloads, peers) = (options.workloads()?, options.peers()?);
    let bench = Bench::start().await?;
    let mut report = Report::new(Machine::this(bench.version().await?, bench.data()), &peers);
    for round in 0..options.rounds {
        for workload in &workloads {
            let mut able: Vec<_> = peers.iter().filter(|peer| can(peer, workload)).collect();
            // The order rotates, so that no peer is always first, or always after the same one.
            let first = round % able.len().max(1);
            able.rotate_left(first);
            for peer in able {
                wait_for_quiet(options.wait).await?;
                match run(&bench, &options, workload, peer, round).await {
                    Ok(sample) => {
                        eprintln!("{}", report::line(&sample));
                        report.samples.push(sample);
                    }
                    Err(error) => eprintln!("{:13} {:16} failed: {error:#}", workload.name, peer.name),
                }
                report.save(options.json.as_deref())?;
            }
        }
    }
    report.show(options.plot.as_deref())
}

fn can(peer: &Entry, workload: &Workload) -> bool {
    workload.needs.iter().all(|need| peer.can.contains(need))
}

/// Runs one workload with one peer in a child process.
async fn run(
    bench: &Bench,
    options: &Options,
    workload: &Workload,
    peer: &Entry,
    round: usize,
) -> Result<Sample> {
    bench.drop(DATABASE).await?;
    bench.create(DATABASE).await?;
    if workload.figures.contains(&Figure::StatementsPerMinute) {
        bench.count_statements(DATABASE).await?;
    }
    let direct = bench.url(DATABASE);
    let url = match workload.round_trip {
        Some(round_trip) => delayed(&direct, round_trip)?,
        None => direct.clone(),
    };
    let spec = Spec {
        workload: workload.name.to_owned(),
        peer: peer.name.to_owned(),
        round,
        database: DATABASE.to_owned(),
        outside: bench.outside(),
        direct,
        url,
        pids: Pids { postmaster: bench.postmaster()?, conductor: std::process::id() },
        jobs: options.jobs,
        seconds: options.seconds,
    };
    let child = Command::new(std::env::current_exe()?)
        .arg("--run")
        .arg(serde_json::to_string(&spec)?)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = timeout(LIMIT, child.wait_with_output()).await.context("the run takes too long")??;
    if !output.status.success() {
        bail!("the child ended with {}", output.status);
    }
    let text = String::from_utf8(output.stdout)?;
    // A peer may print, too; the sample is last.
    let sample = text.lines().next_back().context("the child printed nothing")?;
    let sample = serde_json::from_str(sample).with_context(|| format!("the child printed {sample}"))?;
    bench.drop(DATABASE).await?;
    Ok(sample)
}

/// The address of a database through a delay proxy.
fn delayed(url: &str, round_trip: Duration) -> Result<String> {
    let (head, rest) = url.split_once('@').context("the address has no user")?;
    let (server, database) = rest.split_once('/').context("the address has no database")?;
    let server = server.to_socket_addrs()?.next().context("the server has no address")?;
    Ok(format!("{head}@{}/{database}", proxy::start(server, round_trip)?))
}

/// Waits until no other program uses the machine, at most `most` seconds.
async fn wait_for_quiet(most: u64) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(most) {
        let before = meter::machine()?;
        sleep(MOMENT).await;
        if meter::machine()? - before <= meter::QUIET * MOMENT.as_secs_f64() {
            break;
        }
    }
    Ok(())
}
