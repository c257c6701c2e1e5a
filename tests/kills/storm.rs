//! Workers are killed while they run jobs, and some are frozen for longer than their lease. Afterwards every acknowledged
//! job has completed once, and at every moment none is missing. Every step of every workflow has completed once, too, in its order.
//! Two of the workers accept only some jobs.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use pgjobq::sqlx;
use pgjobq::{JobId, NewJob};
use uuid::Uuid;

use crate::process::Process;
use crate::{LEASE, Stage, jobs};

const WORKERS: usize = 4;
const SLOTS: usize = 6;
/// The jobs that each worker accepts.
const FILTERS: [Option<&str>; WORKERS] = [Some("region = 'eu'"), Some("not region = 'eu'"), None, None];
/// The number of kills after which a freeze follows.
const FREEZE_EVERY: usize = 6;

pub(crate) async fn run(kills: usize) -> String {
    let stage = Arc::new(Stage::new().await);
    let started = Instant::now();
    let counts = Arc::new(Counts::default());
    let producer = tokio::spawn(produce(Arc::clone(&stage), Arc::clone(&counts)));
    let observer = tokio::spawn(observe(Arc::clone(&stage), Arc::clone(&counts)));

    let (workers, freezes) = storm(&stage, kills).await;

    counts.producing.store(false, Ordering::SeqCst);
    let mut acknowledged = producer.await.unwrap();
    stage.until("not exists (select from pgjobq.jobs)").await;
    let workflows = stage.number("select count(*) from pgjobq.workflows").await;
    acknowledged.extend(grown(&stage, &acknowledged).await);
    // Workers reap the last dead ones one lease later.
    stage.until(&format!("(select count(distinct id) from pgjobq.workers) = {WORKERS}")).await;
    counts.observing.store(false, Ordering::SeqCst);
    let snapshots = observer.await.unwrap();
    for worker in workers {
        worker.shut_down().await;
    }
    check(&stage, &acknowledged, kills + freezes).await;

    let runs = stage.number("select count(*) from ledger").await;
    let again =
        stage.number("select count(*) from (select from ledger where ended_at is not null group by job having count(*) > 1) j");
    let suspects = stage.number("select count(*) from pgjobq.finished where crashes > 0");
    let worst = stage.number("select max(crashes) from pgjobq.finished");
    format!(
        "{kills} kills on running jobs and {freezes} freezes in {:.0?}; {} jobs acknowledged, each completed once, in {runs} runs; \
         {} ran to their end more than once; {} were in a crash, at worst {} times; {workflows} workflows completed; {snapshots} snapshots, nothing missing",
        started.elapsed(),
        acknowledged.len(),
        again.await,
        suspects.await,
        worst.await,
    )
}

struct Counts {
    attempted: AtomicI64,
    acknowledged: AtomicI64,
    producing: AtomicBool,
    observing: AtomicBool,
}

impl Default for Counts {
    fn default() -> Self {
        let on = || AtomicBool::new(true);
        Self { attempted: 0.into(), acknowledged: 0.into(), producing: on(), observing: on() }
    }
}

/// Keeps some hundred jobs waiting, steps of workflows and jobs that wait for others among them. Returns the ids of all that were
/// acknowledged.
async fn produce(stage: Arc<Stage>, counts: Arc<Counts>) -> Vec<JobId> {
    let mut acknowledged = Vec::new();
    while counts.producing.load(Ordering::SeqCst) {
        if stage.number("select count(*) from pgjobq.jobs").await > 500 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        }
        let batch: Vec<NewJob<u32>> = (0..100)
            .map(|n| jobs::work::job(1 + n % 8).attribute("region", ["eu", "us"][n as usize % 2]))
            .collect();
        let ids: Vec<JobId> = batch.iter().map(NewJob::job_id).collect();
        counts.attempted.fetch_add(100, Ordering::SeqCst);
        assert_eq!(stage.client.enqueue_all(batch).await.unwrap().new, 100);
        counts.acknowledged.fetch_add(100, Ordering::SeqCst);
        let after = jobs::work::job(1).after(ids[0]).after_any_end(&ids[1..9]);
        let (flow, steps) = jobs::flow();
        counts.attempted.fetch_add(1 + (steps.len() + jobs::SPREAD) as i64, Ordering::SeqCst);
        acknowledged.push(after.enqueue(&stage.client).await.unwrap().id());
        flow.enqueue(&stage.client).await.unwrap();
        counts.acknowledged.fetch_add(1 + steps.len() as i64, Ordering::SeqCst);
        acknowledged.extend(ids.into_iter().chain(steps));
    }
    acknowledged
}

/// Invariant 9, sampled while it runs: acknowledged enqueues <= ended + live <= attempted enqueues, in one snapshot.
async fn observe(stage: Arc<Stage>, counts: Arc<Counts>) -> usize {
    let mut snapshots = 0;
    while counts.observing.load(Ordering::SeqCst) {
        let at_least = counts.acknowledged.load(Ordering::SeqCst);
        let there = stage
            .number("select (select count(*) from pgjobq.jobs) + (select count(*) from pgjobq.finished)")
            .await;
        let at_most = counts.attempted.load(Ordering::SeqCst);
        assert!((at_least..=at_most).contains(&there), "{there} jobs, of {at_least} to {at_most}");
        snapshots += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    snapshots
}

/// Kills workers until this many kills have hit running jobs. Returns the workers that live at the end, and the number of
/// freezes.
async fn storm(stage: &Arc<Stage>, kills: usize) -> (Vec<Process>, usize) {
    let start = |place: usize| Process::accepting(FILTERS[place], &stage.url, SLOTS);
    let mut workers: Vec<Process> = (0..WORKERS).map(start).collect();
    let (mut hits, mut freezes) = (0, 0);
    let mut thawing = None;
    while hits < kills {
        // Waits for some more runs. With the default number of kills, the whole takes about ten seconds.
        let runs = stage.number("select count(*) from ledger").await;
        stage.until(&format!("(select count(*) from ledger) > {}", runs + fastrand::i64(50..350))).await;
        let victim = hits % WORKERS;
        runs_jobs(stage, &mut workers[victim]).await;
        workers[victim].kill();
        hits += usize::from(died_at_work(stage, workers[victim].id()).await);
        workers[victim] = start(victim);
        if hits / FREEZE_EVERY > freezes && thawing.as_ref().is_none_or(tokio::task::JoinHandle::is_finished)
        {
            // Another process than the next victim.
            let place = (hits + WORKERS / 2) % WORKERS;
            let frozen = std::mem::replace(&mut workers[place], start(place));
            runs_jobs_of(stage, frozen.id()).await;
            frozen.freeze();
            freezes += 1;
            thawing = Some(tokio::spawn(async move {
                tokio::time::sleep(LEASE * 2).await; // The length of the freeze, not a wait for something.
                frozen.thaw();
                frozen.shut_down().await;
            }));
        }
    }
    if let Some(thawing) = thawing {
        thawing.await.unwrap();
    }
    (workers, freezes)
}

/// Returns when the ledger shows that the worker runs jobs.
async fn runs_jobs(stage: &Stage, worker: &mut Process) {
    assert!(!worker.has_ended(), "a worker ended unexpectedly");
    runs_jobs_of(stage, worker.id()).await;
}

async fn runs_jobs_of(stage: &Stage, process: u32) {
    stage.until(&format!("exists (select from ledger where process = {process} and ended_at is null)")).await;
}

/// Returns whether the ledger shows a job that began and did not end before the process died. Waits first until its
/// connections are gone, because the server may still execute what it had sent.
async fn died_at_work(stage: &Stage, process: u32) -> bool {
    let gone =
        format!("not exists (select from pg_stat_activity where application_name = 'ledger of {process}')");
    stage.until(&gone).await;
    stage.number(&format!("select count(*) from ledger where process = {process} and ended_at is null")).await
        > 0
}

/// The steps that were added to running workflows.
async fn grown(stage: &Stage, enqueued: &[JobId]) -> Vec<JobId> {
    let enqueued: Vec<Uuid> = enqueued.iter().map(|id| id.as_uuid()).collect();
    let grown = sqlx::query_scalar("select job from pgjobq.steps where job <> all ($1)").bind(enqueued);
    let grown: Vec<Uuid> = grown.fetch_all(&stage.pool).await.unwrap();
    grown.into_iter().map(JobId::from).collect()
}

/// Checks the conditions that must hold at the end.
async fn check(stage: &Stage, acknowledged: &[JobId], troubles: usize) {
    let completed: Vec<Uuid> =
        sqlx::query_scalar("select id from pgjobq.finished where outcome = 'completed'")
            .fetch_all(&stage.pool)
            .await
            .unwrap();
    let acknowledged: HashSet<Uuid> = acknowledged.iter().map(|id| id.as_uuid()).collect();
    assert_eq!(completed.len(), acknowledged.len(), "each job completes once");
    assert_eq!(
        completed.into_iter().collect::<HashSet<_>>(),
        acknowledged,
        "exactly the acknowledged jobs complete"
    );
    for (what, count) in [
        ("dead or otherwise ended", "select count(*) from pgjobq.finished where outcome <> 'completed'"),
        ("left leases", "select count(*) from pgjobq.leases"),
        (
            "workflows that have not completed",
            "select count(*) from pgjobq.workflows where outcome is distinct from 'completed'",
        ),
        (
            "workflows that have not grown once",
            "select count(*) from (select from pgjobq.steps group by workflow having count(*) <> 8) w",
        ),
        (
            "steps that began before a parent had ended",
            "select count(*) from pgjobq.steps p, unnest(p.children) c
               join pgjobq.steps s on s.n = c join ledger l on l.job = s.job
              where s.workflow = p.workflow and l.started_at < p.ended_at",
        ),
        (
            "left ends of parents",
            "select (select count(*) from pgjobq.unsettled) + (select count(*) from pgjobq.edges)
                    + (select count(*) from pgjobq.ended_parents)",
        ),
        ("left errors", "select count(*) from pgjobq.failures"),
        ("left workers", "select count(*) from pgjobq.workers"),
        (
            "attempts that are neither a crash nor the last",
            "select count(*) from pgjobq.finished where attempt <> crashes + 1 or failures <> 0",
        ),
        (
            "attempt numbers that two runs share",
            "select count(*) from (select from ledger group by job, attempt having count(*) > 1) twice",
        ),
        (
            "results of another run than the last, or of one that did not end",
            "select count(*) from pgjobq.finished f where not exists (
                select from ledger l where l.job = f.id and l.attempt = f.attempt and l.process = f.output::int
                   and l.ended_at <= f.finished_at)",
        ),
        (
            "runs in a worker that does not accept the job",
            "select count(*) from ledger l join pgjobq.finished f on f.id = l.job
              where (l.filter = 'region = ''eu''' and f.attributes->>'region' is distinct from 'eu')
                 or (l.filter = 'not region = ''eu''' and f.attributes->>'region' = 'eu')",
        ),
        (
            "runs after the last attempt",
            "select count(*) from ledger l join pgjobq.finished f on f.id = l.job where l.attempt > f.attempt",
        ),
    ] {
        assert_eq!(stage.number(count).await, 0, "{what}");
    }
    let accepting = stage.number("select count(distinct filter) from ledger").await;
    assert_eq!(accepting, 2, "both filters have let jobs through");
    let worst = stage.number("select max(crashes) from pgjobq.finished").await;
    assert!(worst <= troubles as i64, "{worst} crashes of one job, and {troubles} kills and freezes");
}
