//! The interleavings of some operations, on several databases at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::postgres::PgConnectOptions;

use crate::bench::{Bench, Run};
use crate::invariants::check;
use crate::operation::{Isolation, LEVELS, Operation, Side};
use crate::operations::named;
use crate::schedule::{Schedule, every_order_is_wanted};
use crate::session::Ending;

/// Operations that run concurrently, each with the isolation of its transaction.
pub(crate) type Group = Vec<Side>;

/// The number of orders of three operations that are run, if there are more.
const SAMPLE: usize = 24;
/// The same for two operations above READ COMMITTED, unless `PGJOBQ_RACES` is `all`.
const STRICT_SAMPLE: usize = 4;
/// The number of drawn orders in which a planted bug is looked for.
const SEARCH: usize = 1_000;

/// The end of an exploration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// All groups have been run.
    Done,
    /// A violation has been found. Pairs are run in the same orders, at each level, and triples in many.
    Found,
}

/// Counts of the runs, and the violations that they found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) groups: usize,
    pub(crate) interleavings: usize,
    pub(crate) blocked: usize,
    pub(crate) refused: usize,
    /// The steps that were reached.
    pub(crate) steps: BTreeSet<String>,
    pub(crate) violations: Vec<String>,
}

/// Returns every two of these operations that share rows, and callers' operations at every level.
pub(crate) fn pairs(operations: &[&'static Operation]) -> Vec<Group> {
    let mut pairs = Vec::new();
    for (place, first) in operations.iter().enumerate() {
        for second in operations[place..].iter().filter(|second| first.shares_rows(second)) {
            pairs.extend(at_every_level(&[first, second]));
        }
    }
    pairs
}

/// Returns these operations as one group, with callers' operations at every level.
pub(crate) fn together(names: &[&str]) -> Vec<Group> {
    at_every_level(&names.iter().map(|name| named(name)).collect::<Vec<_>>())
}

fn at_every_level(operations: &[&'static Operation]) -> Vec<Group> {
    let levels = if operations.iter().any(|operation| operation.minds_its_level()) {
        &LEVELS[..]
    } else {
        &LEVELS[..1]
    };
    let at = |operation: &Operation, level| {
        if operation.minds_its_level() { level } else { Isolation::ReadCommitted }
    };
    levels
        .iter()
        .map(|level| operations.iter().map(|operation| (*operation, at(operation, *level))).collect())
        .collect()
}

/// Runs every interleaving of two operations; of three operations, or above READ COMMITTED, only the drawn ones.
async fn explore(bench: &mut Bench, group: &Group, until: Until) -> Report {
    let mut report = Report { groups: 1, ..Report::default() };
    bench.tidy().await;
    let all = until == Until::Found || every_order_is_wanted();
    if group.len() == 2 && (all || !is_strict(group)) {
        let mut schedule = Some(Schedule::first(group[0].0.name == group[1].0.name));
        while let Some(mut order) = schedule {
            if !report.run(bench, group, &mut order).await {
                break;
            }
            schedule = order.next();
        }
    } else {
        let sample = match (until, group.len()) {
            (Until::Found, _) => SEARCH,
            (Until::Done, 2) => STRICT_SAMPLE,
            (Until::Done, _) => SAMPLE,
        };
        let mut drawn = BTreeSet::new();
        for seed in 0..2 * sample as u64 {
            let mut order = Schedule::drawn(seed);
            if drawn.len() == sample || !report.run(bench, group, &mut order).await {
                break;
            }
            drawn.insert(order.sides());
        }
        report.interleavings = drawn.len();
    }
    report
}

/// Runs the groups on copies of one database.
pub(crate) async fn explore_all(lanes: Vec<PgConnectOptions>, groups: Vec<Group>, until: Until) -> Report {
    let (next, groups) = (Arc::new(AtomicUsize::new(0)), Arc::new(groups));
    let mut threads = Vec::new();
    for lane in lanes {
        let (next, groups) = (Arc::clone(&next), Arc::clone(&groups));
        threads.push(std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut bench = Bench::open(&lane).await;
                let mut total = Report::default();
                while let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
                    total.add(explore(&mut bench, group, until).await);
                    if until == Until::Found && !total.violations.is_empty() {
                        break;
                    }
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
    /// Runs one interleaving. Returns false on a violation: one such order is enough to look at.
    async fn run(&mut self, bench: &mut Bench, group: &Group, order: &mut Schedule) -> bool {
        let run = bench.run(group, order).await;
        self.interleavings += 1;
        self.blocked += usize::from(!run.waits.is_empty());
        self.refused += run.endings.iter().filter(|ending| is_refused(ending)).count();
        self.steps.extend(run.traces.iter().flatten().cloned());
        if let Err(violation) = check(group, &run) {
            self.violations.push(described(&violation, group, order, &run));
            return false;
        }
        true
    }

    fn add(&mut self, other: Self) {
        self.groups += other.groups;
        self.interleavings += other.interleavings;
        self.blocked += other.blocked;
        self.refused += other.refused;
        self.steps.extend(other.steps);
        self.violations.extend(other.violations);
    }
}

/// Returns whether a transaction of the group is above READ COMMITTED.
pub(crate) fn is_strict(group: &Group) -> bool {
    group.iter().any(|(_, level)| *level != Isolation::ReadCommitted)
}

/// Returns whether the database could not serialize the transaction with another one.
fn is_refused(ending: &Ending) -> bool {
    matches!(ending, Ending::Failed { code, .. } if code == "40001")
}

fn described(violation: &str, group: &Group, order: &Schedule, run: &Run) -> String {
    let sides: Vec<_> = (group.iter().zip(&run.traces).enumerate())
        .map(|(side, ((operation, level), trace))| {
            format!("\n  {}: {} ({level}): {}", side + 1, operation.name, trace.join(", "))
        })
        .collect();
    let order: String = order.sides().iter().map(|side| char::from(b'1' + *side as u8)).collect();
    format!("{violation}{}\n  order {order}, {run:?}", sides.concat())
}
