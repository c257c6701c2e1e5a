//! Workers are killed and frozen while they run calls for several jobs. Each job ends once, and as it was to end, whatever became of
//! the others of its call.

use std::time::Instant;

use crate::jobs::Ends;
use crate::process::Process;
use crate::{LEASE, Stage, jobs};

const WORKERS: usize = 3;
const SLOTS: usize = 4;
const JOBS: u32 = 6_000;
/// The number of kills after which a freeze follows.
const FREEZE_EVERY: usize = 6;

pub(crate) async fn run(troubles: usize) -> String {
    let stage = Stage::new().await;
    let started = Instant::now();
    let mut workers: Vec<Process> = (0..WORKERS).map(|_| Process::start(&stage.url, SLOTS)).collect();
    stage.client.enqueue_all((0..JOBS).map(jobs::together::job)).await.unwrap();
    let most = i64::from(JOBS) / troubles.max(1) as i64;
    let (mut struck, mut at_work, mut freezes) = (0, 0, Vec::new());
    while struck < troubles && stage.number("select count(*) from pgjobq.jobs").await > 0 {
        let next = stage.number("select count(*) from ledger").await + fastrand::i64(most / 4..=most);
        let runs = format!("(select count(*) from ledger) > {next} or not exists (select from pgjobq.jobs)");
        stage.until(&runs).await;
        let mut victim = std::mem::replace(&mut workers[struck % WORKERS], Process::start(&stage.url, SLOTS));
        struck += 1;
        if !struck.is_multiple_of(FREEZE_EVERY) {
            let process = victim.id();
            victim.kill();
            let cut = format!("select count(*) from ledger where process = {process} and ended_at is null");
            at_work += usize::from(stage.number(&cut).await > 0);
            continue;
        }
        victim.freeze();
        freezes.push(tokio::spawn(async move {
            tokio::time::sleep(LEASE * 2).await; // The length of the freeze, not a wait for something.
            victim.thaw();
            victim.shut_down().await;
        }));
    }
    stage.drained().await;
    let frozen = freezes.len();
    for freeze in freezes {
        freeze.await.unwrap();
    }
    for worker in workers {
        worker.shut_down().await;
    }
    check(&stage).await;
    let runs = stage.number("select count(*) from ledger").await;
    let crashed = stage.number("select count(*) from pgjobq.finished where crashes > 0").await;
    format!(
        "{JOBS} jobs in calls of at most twenty, {} kills, {at_work} of them of calls at work, and {frozen} freezes in {:.0?}; each job \
         ended once and as it was to end, in {runs} runs; {crashed} were in a crash",
        struck - frozen,
        started.elapsed()
    )
}

/// Checks the conditions that must hold at the end.
async fn check(stage: &Stage) {
    assert_eq!(
        stage.number("select count(*) from pgjobq.finished").await,
        i64::from(JOBS),
        "each job ends once"
    );
    for number in 0..5 {
        let (outcome, failures) = match Ends::of(number) {
            Ends::Early | Ends::WithTheCall => ("completed", 0),
            Ends::AfterAFailure => ("completed", 1),
            Ends::Dead => ("dead", 1),
            Ends::Cancelled => ("cancelled", 0),
        };
        let others = format!(
            "select count(*) from pgjobq.finished
              where (args->>'items')::int % 5 = {number} and (outcome <> '{outcome}' or failures <> {failures})"
        );
        assert_eq!(
            stage.number(&others).await,
            0,
            "{:?}: another end, or another number of failures",
            Ends::of(number)
        );
    }
    for (what, count) in [
        ("left leases", "select count(*) from pgjobq.leases"),
        ("left workers", "select count(*) from pgjobq.workers"),
        (
            "jobs whose last attempt did not run to its end",
            "select count(*) from pgjobq.finished f where not exists (
                select from ledger l where l.job = f.id and l.attempt = f.attempt and l.ended_at <= f.finished_at)",
        ),
        (
            "attempt numbers that two runs share",
            "select count(*) from (select from ledger group by job, attempt having count(*) > 1) twice",
        ),
        (
            "runs after the last attempt",
            "select count(*) from ledger l join pgjobq.finished f on f.id = l.job where l.attempt > f.attempt",
        ),
    ] {
        assert_eq!(stage.number(count).await, 0, "{what}");
    }
}
