//! The tables, in Markdown: ratios first.

use std::fmt::Write as _;

use super::Report;
use super::numbers::short;
use super::stats::{Runs, Spread};
use crate::meter::QUIET;
use crate::peers::{LIMIT, OURS};
use crate::sample::Sample;
use crate::workloads::{self, Figure, Workload};

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
                theirs
                    .map_or("–".to_owned(), |(peer, theirs)| format!("{} ({peer})", short(theirs.median))),
                best.and_then(|peer| runs.ratio(peer, *figure))
                    .map_or("–".to_owned(), |ratio| format!("**{}**", spread(ratio))),
                runs.ratio(LIMIT, *figure).map_or("–".to_owned(), |ratio| short(ratio.median)),
                format!("{} of {}", runs.0.iter().filter(|run| run.is_disturbed()).count(), runs.0.len()),
            ];
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
    }
    text + "\n"
}

/// All figures of one workload.
fn details(workload: &Workload, runs: &Runs<'_>) -> String {
    let mut text = format!("### `{}`: {}\n\n", workload.name, workload.about);
    text += "| peer | jobs/s | p50 · p95 · p99 ms | server µs/job | client µs/job | WAL B/job | transactions/job | client MB | dead rows | others' cores |\n";
    text += "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";
    for peer in runs.peers() {
        let median = |value: &dyn Fn(&Sample) -> Option<f64>| {
            Spread::of(runs.by(peer).filter_map(value)).map(|it| it.median)
        };
        let cell =
            |value: &dyn Fn(&Sample) -> f64| median(&|run| Some(value(run))).map_or("–".to_owned(), short);
        let percentile = |value: &dyn Fn(&crate::sample::Latency) -> f64| {
            median(&|run| run.latency.as_ref().map(value)).map_or("–".to_owned(), short)
        };
        let row = [
            peer.to_owned(),
            runs.spread(peer, Figure::JobsPerSecond).map_or("–".to_owned(), spread),
            [percentile(&|it| it.p50), percentile(&|it| it.p95), percentile(&|it| it.p99)].join(" · "),
            cell(&|run| run.per_job(run.usage.server_cpu) * 1e6),
            cell(&|run| run.per_job(run.usage.client_cpu) * 1e6),
            cell(&|run| run.per_job(run.usage.wal_bytes)),
            cell(&|run| run.per_job(run.transactions)),
            cell(&|run| run.memory_megabytes),
            cell(&|run| run.dead_rows),
            cell(&|run| run.usage.others),
        ];
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text + "\n"
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
