//! The tables, in Markdown: ratios first.

use std::fmt::Write as _;

use super::Report;
use super::numbers::short;
use super::stats::{Runs, Spread};
use crate::meter::QUIET;
use crate::peers::{LIMIT, OURS};
use crate::sample::Sample;
use crate::workloads::{self, Workload};

/// Everything, for `docs/performance.md`.
pub(super) fn all(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}.\n", report.machine);
    text += &disturbance(&report.samples);
    text += &ratios(report);
    for (workload, runs) in measured(report) {
        text += &details(workload, &runs);
    }
    text += &settings(report);
    text
}

fn measured(report: &Report) -> impl Iterator<Item = (&'static Workload, Runs<'_>)> {
    let all = workloads::ALL.iter().map(|workload| (workload, Runs::of(&report.samples, workload.name)));
    all.filter(|(_, runs)| !runs.0.is_empty())
}

fn disturbance(samples: &[Sample]) -> String {
    let disturbed = samples.iter().filter(|sample| sample.is_disturbed()).count();
    let rounds = samples.iter().map(|sample| sample.round + 1).max().unwrap_or(0);
    format!(
        "{} runs in {rounds} rounds; in {disturbed} of them other programs used more than {QUIET} cores (*disturbed*).\n\n",
        samples.len()
    )
}

/// Ours beside the best peer and the limit of the machine.
fn ratios(report: &Report) -> String {
    let mut text = String::from(
        "| workload | figure | pgjobq | best peer | pgjobq ÷ best peer | pgjobq ÷ limit | disturbed |\n|---|---|--:|--:|--:|--:|--:|\n",
    );
    for (workload, runs) in measured(report) {
        let disturbed = runs.0.iter().filter(|run| run.is_disturbed()).count();
        for figure in workload.figures {
            let Some(ours) = runs.spread(OURS, *figure) else { continue };
            let best = runs.best(*figure);
            let theirs = best.and_then(|peer| Some((peer, runs.spread(peer, *figure)?)));
            let row = [
                workload.about.to_owned(),
                format!(
                    "{}{}",
                    figure.label(),
                    if figure.less_is_better() { " (less is better)" } else { "" }
                ),
                short(ours.median),
                theirs.map_or_else(none, |(peer, theirs)| format!("{} ({peer})", short(theirs.median))),
                best.and_then(|peer| runs.ratio(peer, *figure))
                    .map_or_else(none, |ratio| format!("**{}**", spread(ratio))),
                runs.ratio(LIMIT, *figure).map_or_else(none, |ratio| short(ratio.median)),
                format!("{disturbed} of {}", runs.0.len()),
            ];
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
    }
    text + "\n"
}

/// All figures of one workload: those that it is about, then the costs of a job.
fn details(workload: &Workload, runs: &Runs<'_>) -> String {
    let figures: Vec<_> = workload.figures.iter().copied().filter(|figure| !figure.is_a_cost()).collect();
    let mut columns = vec!["peer"];
    columns.extend(figures.iter().map(|figure| figure.label()));
    let has_jobs = runs.0.iter().any(|run| run.jobs > 0);
    let costs: &[Column] = if has_jobs { &COSTS } else { &COSTS[COSTS.len() - 1..] };
    columns.extend(costs.iter().map(|(label, _)| *label));
    let mut text = format!("### `{}`: {}\n\n{}", workload.name, workload.about, head(&columns));
    for peer in runs.peers() {
        let mut row = vec![peer.to_owned()];
        row.extend(figures.iter().map(|figure| runs.spread(peer, *figure).map_or_else(none, spread)));
        row.extend(costs.iter().map(|(_, value)| {
            Spread::of(runs.by(peer).filter_map(value)).map_or_else(none, |found| short(found.median))
        }));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text + "\n"
}

type Column = (&'static str, fn(&Sample) -> Option<f64>);

/// The columns that every workload has. Without jobs, only the last means anything.
const COSTS: [Column; 9] = [
    ("p50 ms", |run| run.latency.map(|latency| latency.p50)),
    ("p95 ms", |run| run.latency.map(|latency| latency.p95)),
    ("server µs/job", |run| Some(run.per_job(run.usage.server_cpu) * 1e6)),
    ("client µs/job", |run| Some(run.per_job(run.usage.client_cpu) * 1e6)),
    ("WAL B/job", |run| Some(run.per_job(run.usage.wal_bytes))),
    ("transactions/job", |run| Some(run.per_job(run.transactions))),
    ("client MB", |run| Some(run.memory_megabytes)),
    ("dead rows", |run| Some(run.dead_rows)),
    ("others, cores", |run| Some(run.usage.others)),
];

/// The head of a table whose first column is text.
fn head(columns: &[&str]) -> String {
    format!("| {} |\n|---{}|\n", columns.join(" | "), "|--:".repeat(columns.len() - 1))
}

/// A cell without a value.
fn none() -> String {
    "–".to_owned()
}

fn settings(report: &Report) -> String {
    let mut text = String::from("| peer | version | settings |\n|---|---|---|\n");
    for peer in &report.peers {
        let _ = writeln!(text, "| {} | {} | {} |", peer.name, peer.version, peer.settings);
    }
    text
}

/// A median with its spread, if there is more than one value.
fn spread(spread: Spread) -> String {
    let Spread { median, min, max, count } = spread;
    if count == 1 { short(median) } else { format!("{} [{}–{}]", short(median), short(min), short(max)) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::machine::Machine;
    use super::super::stats::tests::sample;
    use super::*;

    #[test]
    fn table_has_the_ratio_to_the_best_peer_and_its_spread() {
        let mut report = Report::new(Machine::this("15".to_owned(), Path::new("/")), &[]);
        for (round, ours, x, y) in [(0, 3000, 2000, 1000), (1, 4000, 2000, 9), (2, 2000, 2000, 1)] {
            report.samples.extend([sample(OURS, round, ours), sample("x", round, x), sample("y", round, y)]);
        }
        report.samples[0].usage.others = 0.5;
        let text = all(&report);
        let row = "| drain, 2,000 slots, nothing kept | jobs/s | 3,000 | 2,000 (x) | **1.50 [1.00–2.00]** | – | 1 of 9 |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("9 runs in 3 rounds; in 1 of them"), "{text}");
    }
}
