//! Several workers share a queue. Each job runs once, the highest priority first.

use std::collections::HashSet;
use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{JobState, sqlx};
use uuid::Uuid;

use crate::harness::TestDb;
use crate::probe::{Probe, end_of};

#[job]
async fn note(ctx: JobContext, probe: u64) {
    Probe::of(probe).begin(&ctx);
}

/// The lease, so long that a busy machine is not late with a heartbeat.
const LEASE: Duration = Duration::from_secs(8);

/// Blocks its thread for longer than two leases.
#[job(queue = "blocking")]
async fn compute() {
    std::thread::sleep(LEASE * 2 + LEASE / 10);
}

/// Takes a state that most workers lack.
#[job(queue = "stateful")]
async fn read_state(number: State<u16>) -> Result<u16> {
    Ok(*number)
}

on_one_shard!(worker_leaves_jobs_whose_state_it_lacks_to_others);
async fn worker_leaves_jobs_whose_state_it_lacks_to_others(db: TestDb) {
    let lacking = db.worker().build().await.unwrap().start();
    let job = read_state::job().queue("default").enqueue(&db.client).await.unwrap();
    let other = note::enqueue(&db.client, Probe::new().number).await.unwrap();
    assert_eq!(end_of(&db.client, &other).await, Outcome::Completed(()));
    let status = job.status(&db.client).await.unwrap().unwrap();
    assert_eq!((status.state, status.attempts, status.workers), (JobState::Ready, 0, 0));
    let having = db.worker().state(7_u16).build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(7));
    lacking.shutdown().await.unwrap();
    having.shutdown().await.unwrap();
    let error = db.worker().queue("stateful", 1).build().await.unwrap_err().to_string();
    assert!(error.contains("(tests/it/fleet.rs:") && error.contains("takes `State<u16>`"), "{error}");
}

on_one_and_eight_shards!(several_workers_share_a_queue_and_each_job_runs_once);
async fn several_workers_share_a_queue_and_each_job_runs_once(db: TestDb) {
    let probe = Probe::new();
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(db.worker().name("twin").build().await.unwrap().start());
    }
    db.client.enqueue_all((0..600).map(|_| note::job(probe.number))).await.unwrap();
    db.until("not exists (select from pgjobq.jobs)").await;
    let runs = probe.runs();
    assert_eq!(runs.len(), 600);
    assert_eq!(runs.iter().collect::<HashSet<_>>().len(), 600);
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
}

/// Enqueues `of_each` jobs of each priority, and returns them as enqueued, and as a worker with one slot ran them.
async fn run_one_by_one(db: &TestDb, of_each: usize) -> (Vec<(Priority, JobId)>, Vec<(Priority, JobId)>) {
    let probe = Probe::new();
    // All in one shard, because lanes take turns.
    let id = || JobId::from(Uuid::from_u128(JobId::new().as_uuid().as_u128() & !0x3ff));
    let mut enqueued = Vec::new();
    for priority in [Priority::Low, Priority::Critical, Priority::Normal, Priority::High] {
        for _ in 0..of_each {
            let job = note::job(probe.number).id(id()).priority(priority).enqueue(&db.client).await.unwrap();
            enqueued.push((priority, job.id()));
        }
    }
    let worker = Worker::builder(&db.client).queue("default", 1).build().await.unwrap().start();
    probe.until(|probe| probe.runs().len() == enqueued.len()).await;
    worker.shutdown().await.unwrap();
    let of = |id| enqueued.iter().find(|job| job.1 == id).unwrap().0;
    let ran = probe.runs().into_iter().map(|(id, _)| (of(id), id)).collect();
    enqueued.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
    (enqueued, ran)
}

on_one_and_eight_shards!(highest_priority_runs_first_then_the_oldest_job);
async fn highest_priority_runs_first_then_the_oldest_job(db: TestDb) {
    let (wanted, ran) = run_one_by_one(&db, 2).await;
    assert_eq!(ran, wanted);
}

on_one_and_eight_shards!(highest_priority_runs_first_among_many_jobs);
async fn highest_priority_runs_first_among_many_jobs(db: TestDb) {
    let (wanted, ran) = run_one_by_one(&db, 5).await;
    let priorities =
        |jobs: Vec<(Priority, JobId)>| jobs.into_iter().map(|(priority, _)| priority).collect::<Vec<_>>();
    assert_eq!(priorities(ran), priorities(wanted));
}

on_one_and_eight_shards!(worker_claims_only_the_kinds_that_it_knows);
async fn worker_claims_only_the_kinds_that_it_knows(db: TestDb) {
    let strange: Uuid = sqlx::query_scalar("select job from pgjobq.enqueue('of_another_program')")
        .fetch_one(&db.pool)
        .await
        .unwrap();
    let worker = db.worker().build().await.unwrap().start();
    let probe = Probe::new();
    for _ in 0..3 {
        note::call(&db.client, probe.number).await.unwrap();
    }
    worker.shutdown().await.unwrap();
    let status = db.client.job(strange).status().await.unwrap().unwrap();
    assert_eq!(
        (status.state, status.attempts, status.kind.as_str()),
        (JobState::Ready, 0, "of_another_program")
    );
}

on_one_shard!(heartbeats_continue_while_handlers_block_every_thread);
async fn heartbeats_continue_while_handlers_block_every_thread(db: TestDb) {
    let blocked = db.options.clone();
    let (begun, begins) = tokio::sync::oneshot::channel();
    let job = compute::enqueue(&db.client).await.unwrap();
    // The worker has its own runtime with one thread, so that the test's runtime goes on.
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let pool = sqlx::PgPool::connect_with(blocked).await.unwrap();
            let client = Client::new(pool);
            let worker = Worker::builder(&client)
                .queue("blocking", 1)
                .heartbeat(LEASE / 20)
                .lease(LEASE)
                .build()
                .await
                .unwrap();
            begun.send(()).unwrap();
            worker.run_until(async { drop(stopped.await) }).await.unwrap();
        });
    });
    begins.await.unwrap();
    // Another worker looks for silent workers all the time.
    let rival = db.worker().heartbeat(LEASE / 20).lease(LEASE).build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(()));
    assert_eq!(db.number("select sum(attempt) from pgjobq.finished").await, 1, "it ran once");
    assert_eq!(db.number("select sum(crashes) from pgjobq.finished").await, 0);
    stop.send(()).unwrap();
    tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap();
    rival.shutdown().await.unwrap();
}
