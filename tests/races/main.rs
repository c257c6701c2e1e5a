//! Every two operations on the same rows, in every order of their steps.
//!
//! The functions of the schema name their steps in comments (`-- step: …`), which are replaced by pauses in the shipped text.
//! Two sessions carry out two operations, and stop at each pause until the runner lets one of them go on; a commit is a step
//! as well. A session that waits for the other's transaction is told by `pg_locks`, and goes on when that has ended. After
//! each run the answers and the tables must fit together, and everything must come to an end.
#![allow(clippy::unwrap_used)]

mod after;
mod bench;
mod explore;
mod facts;
mod invariants;
mod levels;
mod operation;
mod pause;
mod planted;
mod schedule;
mod script;
mod server;
mod session;

use std::time::Instant;

use operation::OPERATIONS;
use server::Databases;

/// How many databases are worked on at once.
const LANES: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_interleaving_of_every_pair_keeps_the_invariants() {
    let since = Instant::now();
    let databases = Databases::start().await;
    databases.create("races").await;
    databases.run("races", &pause::with_pauses(&pause::shipped())).await;
    let pairs = explore::pairs(&OPERATIONS.iter().collect::<Vec<_>>());
    let report = explore::explore_all(databases.copy("races", LANES).await, pairs).await;
    eprintln!(
        "races: {} interleavings of {} pairs (x3 isolation levels where a caller enqueues), {} violations, {:.0} s; \
         in {} one side waited for the other, {} enqueues could not be serialized, {} calls were tried again",
        report.interleavings,
        OPERATIONS.len() * (OPERATIONS.len() + 1) / 2,
        report.violations.len(),
        since.elapsed().as_secs_f64(),
        report.blocked,
        report.refused,
        report.retried,
    );
    assert!(report.violations.is_empty(), "{}", report.violations.join("\n\n"));
    let shipped = pause::shipped();
    let never: Vec<_> =
        pause::steps(&shipped).into_iter().filter(|step| !report.steps.contains(*step)).collect();
    assert!(never.is_empty(), "no operation comes to these steps: {never:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_planted_bug_is_found() {
    planted::every_planted_bug_is_found(&Databases::start().await).await;
}
