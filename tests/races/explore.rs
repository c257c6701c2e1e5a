//! All interleavings of all pairs, on several databases at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::postgres::PgConnectOptions;

use crate::bench::{Bench, is_passing};
use crate::invariants::check;
use crate::operation::{Isolation, LEVELS, Operation};
use crate::schedule::Schedule;

/// Two operations, each with the isolation of its transaction.
pub(crate) type Pair = [(&'static Operation, Isolation); 2];

/// What was done, and what did not hold.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) interleavings: usize,
    pub(crate) blocked: usize,
    pub(crate) retried: usize,
    pub(crate) refused: usize,
    /// The steps that were come to.
    pub(crate) steps: BTreeSet<String>,
    pub(crate) violations: Vec<String>,
}

/// Every two of these operations, and those of callers at every level.
pub(crate) fn pairs(operations: &[&'static Operation]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (place, first) in operations.iter().enumerate() {
        for second in &operations[place..] {
            let levels = if first.is_callers() || second.is_callers() { &LEVELS[..] } else { &LEVELS[..1] };
            for level in levels {
                let at = |operation: &Operation| {
                    if operation.is_callers() { *level } else { Isolation::ReadCommitted }
                };
                pairs.push([(*first, at(first)), (*second, at(second))]);
            }
        }
    }
    pairs
}

/// Runs every interleaving of one pair.
pub(crate) async fn explore(bench: &mut Bench, pair: Pair) -> Report {
    let mut report = Report::default();
    let mut schedule = Some(Schedule::first(pair[0].0.name == pair[1].0.name));
    bench.tidy().await;
    while let Some(mut order) = schedule {
        let run = bench.run(pair, &mut order).await;
        report.interleavings += 1;
        report.blocked += usize::from(run.blocked);
        report.retried += run.retried;
        report.refused += run.endings.iter().filter(|ending| is_passing(ending)).count();
        if let Err(violation) = check(pair, &run) {
            let [first, second] = bench.traces().await;
            let order: String = order.sides().map(|side| ['1', '2'][side]).collect();
            report.violations.push(format!(
                "{violation}\n  1: {} ({}): {first}\n  2: {} ({}): {second}\n  order {order}, {run:?}",
                pair[0].0.name, pair[0].1, pair[1].0.name, pair[1].1
            ));
            return report; // One is enough to look at.
        }
        schedule = order.next();
    }
    let traces = bench.traces().await;
    report.steps.extend(traces.iter().flat_map(|trace| trace.split(", ")).map(str::to_owned));
    report
}

/// Runs the pairs on copies of one database.
pub(crate) async fn explore_all(lanes: Vec<PgConnectOptions>, pairs: Vec<Pair>) -> Report {
    let (next, pairs) = (Arc::new(AtomicUsize::new(0)), Arc::new(pairs));
    let mut threads = Vec::new();
    for lane in lanes {
        let (next, pairs) = (Arc::clone(&next), Arc::clone(&pairs));
        threads.push(std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut bench = Bench::open(&lane).await;
                let mut total = Report::default();
                while let Some(pair) = pairs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let report = explore(&mut bench, *pair).await;
                    total.add(report);
                }
                total
            })
        }));
    }
    let mut total = Report::default();
    for thread in threads {
        total.add(tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap());
    }
    total
}

impl Report {
    fn add(&mut self, other: Self) {
        self.interleavings += other.interleavings;
        self.blocked += other.blocked;
        self.retried += other.retried;
        self.refused += other.refused;
        self.steps.extend(other.steps);
        self.violations.extend(other.violations);
    }
}
