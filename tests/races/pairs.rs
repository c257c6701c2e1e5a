//! The orders of two scripts on a small stage of their own, and what these orders found.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use sqlx::postgres::PgConnectOptions;
use tokio::task::JoinSet;

use crate::bench::Bench;
use crate::schedule::Schedule;
use crate::session::Ending;

/// Two scripts, and the stage on which they run.
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) scripts: [String; 2],
    /// True if the scripts are the same: then half of the orders are left out.
    pub(crate) are_alike: bool,
    /// The statements that prepare the stage.
    pub(crate) stage: String,
}

/// The step between the transaction of an operation and the one that follows from it.
pub(crate) const COMMITTED: &str = "committed";

/// Returns the statements that prepare the stage of these operations. A reap finds a lease only if its worker has been given up.
pub(crate) fn stage(reset: &str, operations: [&str; 2]) -> String {
    let gives_up = operations.contains(&"reap");
    format!("{reset}{}", if gives_up { "; delete from pgjobq.workers where id = 1" } else { "" })
}

/// What must hold after each order.
pub(crate) struct Checks {
    /// The queries that list what is wrong.
    pub(crate) queries: [&'static str; 2],
    /// Returns the error of a session that no session may have.
    pub(crate) failure: fn(&Ending) -> Option<String>,
}

/// Counts of the orders, and the violations that they found.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) interleavings: usize,
    steps: BTreeSet<String>,
    pub(crate) violations: Vec<String>,
}

/// Runs the orders of each pair, on several databases at once: copies of one.
pub(crate) async fn explore_all(
    lanes: Vec<PgConnectOptions>,
    pairs: Vec<Pair>,
    checks: &'static Checks,
) -> Findings {
    let pairs = Arc::new(Mutex::new(pairs.into_iter()));
    let mut exploring = JoinSet::new();
    for lane in lanes {
        let pairs = Arc::clone(&pairs);
        exploring.spawn(async move {
            let mut bench = Bench::open(&lane).await;
            let mut found = Findings::default();
            loop {
                let pair = pairs.lock().unwrap().next();
                let Some(pair) = pair else { return found };
                found.explore(&mut bench, &pair, checks).await;
            }
        });
    }
    let mut found = Findings::default();
    for other in exploring.join_all().await {
        found.interleavings += other.interleavings;
        found.steps.extend(other.steps);
        found.violations.extend(other.violations);
    }
    found
}

impl Findings {
    /// Runs the orders of a pair, up to the first violation.
    pub(crate) async fn explore(&mut self, bench: &mut Bench, pair: &Pair, checks: &Checks) {
        let mut schedule = Some(Schedule::first(pair.are_alike));
        bench.tidy().await;
        while let Some(mut order) = schedule {
            bench.prepare(&pair.stage).await;
            let played = bench.play(&pair.scripts, &mut order).await;
            self.interleavings += 1;
            self.steps.extend(played.traces.iter().flatten().cloned());
            let mut wrong = Vec::new();
            for query in checks.queries {
                wrong.extend(bench.texts(query).await);
            }
            wrong.extend(played.endings.iter().filter_map(checks.failure));
            // An operation may be in a caller's transaction, which stays open for as long as the caller likes.
            let waits = played.wait_after(COMMITTED);
            wrong.extend(
                waits.map(|wait| format!("what follows from an operation waits for another one: {wait:?}")),
            );
            if !wrong.is_empty() {
                eprintln!("violation: {}: {wrong:?}\n{:?}", pair.name, played.traces);
                self.violations.push(format!("{}: {wrong:#?}\n{played:?}", pair.name));
                return;
            }
            schedule = order.next();
        }
    }

    /// Fails if there is a violation, or if a step was never reached.
    pub(crate) fn are_none(&self, what: &str, steps: &[&str]) {
        eprintln!("{what}: {} interleavings, {} violations", self.interleavings, self.violations.len());
        assert!(self.violations.is_empty(), "{}", self.violations.join("\n\n"));
        let never: Vec<_> = steps.iter().filter(|step| !self.steps.contains(**step)).collect();
        assert!(never.is_empty(), "no operation reaches these steps: {never:?}");
    }
}
