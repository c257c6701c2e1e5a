//! Every two operations on the same rows, in every order of their steps with at most two interruptions; and some threes. Callers'
//! operations also run at the two stricter isolation levels, in a few orders. With `PGJOBQ_RACES=all` two run in every order there is.
//!
//! The functions of the schema name their steps in comments (`-- step: …`). The runner replaces them in the shipped text by
//! pauses. Sessions execute the operations, and stop at each pause until the runner releases one of them; a commit is a
//! step as well. `pg_locks` shows a session that waits for another's transaction; it continues when that has ended. After
//! each run the answers and the tables must fit together, and it must be possible to drain every job. A deadlock is a
//! violation, because two operations then take their locks in different orders.
#![allow(clippy::unwrap_used)]

mod actions;
mod after;
mod ageing;
mod bench;
mod bounds;
mod explore;
mod facts;
mod flows;
mod invariants;
mod ledger;
mod levels;
mod limits;
mod operation;
mod operations;
mod pairs;
mod pause;
mod planted;
mod planted_bugs;
mod rates;
mod requests;
mod schedule;
mod schedules;
mod script;
mod server;
mod session;
mod unique;

use std::time::Instant;

use explore::{Group, Report, Until};
use operations::{OPERATIONS, TRIPLES};
use server::Databases;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_interleaving_of_every_pair_keeps_the_invariants() {
    let pairs = explore::pairs(&OPERATIONS.iter().collect::<Vec<_>>());
    let report = explored("pairs of operations that share rows", pairs).await;
    let shipped = pause::shipped();
    let reached = |step: &&str| {
        report.steps.contains(*step)
            || [
                flows::STEPS,
                actions::STEPS,
                limits::STEPS,
                bounds::STEPS,
                rates::STEPS,
                unique::STEPS,
                ageing::STEPS,
                schedules::STEPS,
            ]
            .iter()
            .any(|steps| steps.contains(step))
    };
    let never: Vec<_> = pause::steps(&shipped).into_iter().filter(|step| !reached(step)).collect();
    assert!(never.is_empty(), "no operation reaches these steps: {never:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drawn_interleavings_of_dangerous_triples_keep_the_invariants() {
    let triples = TRIPLES.iter().flat_map(|names| explore::together(names)).collect();
    explored("triples", triples).await;
}

/// Runs them on the shipped schema.
async fn explored(what: &str, groups: Vec<Group>) -> Report {
    let since = Instant::now();
    let databases = Databases::start().await;
    databases.create("races").await;
    databases.run("races", &pause::with_pauses(&pause::shipped())).await;
    let report = explore::explore_all(databases.lanes("races").await, groups, Until::Done).await;
    eprintln!(
        "races: {} interleavings of {} {what} (callers' at three isolation levels), {} violations, {:.0} s; \
         in {} one side waited for another, {} callers could not be serialized",
        report.interleavings,
        report.groups,
        report.violations.len(),
        since.elapsed().as_secs_f64(),
        report.blocked,
        report.refused,
    );
    assert!(report.violations.is_empty(), "{}", report.violations.join("\n\n"));
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_interleaving_of_workflow_operations_keeps_the_invariants() {
    flows::every_interleaving_keeps_the_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bug_planted_in_workflows_is_found() {
    flows::every_planted_bug_is_found().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_interleaving_of_actions_keeps_the_invariants() {
    actions::every_interleaving_keeps_the_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bug_planted_in_actions_is_found() {
    actions::every_planted_bug_is_found().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_interleaving_of_limits_keeps_the_invariants() {
    limits::every_interleaving_keeps_the_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bug_planted_in_limits_is_found() {
    limits::every_planted_bug_is_found().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_interleaving_of_bounded_enqueues_keeps_the_invariants() {
    bounds::every_interleaving_keeps_the_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bug_planted_in_bounds_is_found() {
    bounds::every_planted_bug_is_found().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_interleaving_of_rates_keeps_the_invariants() {
    rates::every_interleaving_keeps_the_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bug_planted_in_rates_is_found() {
    rates::every_planted_bug_is_found().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_interleaving_of_unique_jobs_keeps_the_invariants() {
    unique::every_interleaving_keeps_the_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bug_planted_in_unique_jobs_is_found() {
    unique::every_planted_bug_is_found().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_interleaving_of_ageing_keeps_the_invariants() {
    ageing::every_interleaving_keeps_the_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bug_planted_in_ageing_is_found() {
    ageing::every_planted_bug_is_found().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_interleaving_of_schedules_keeps_the_invariants() {
    schedules::every_interleaving_keeps_the_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bug_planted_in_schedules_is_found() {
    schedules::every_planted_bug_is_found().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_planted_bug_is_found() {
    planted::every_planted_bug_is_found(&Databases::start().await).await;
}
