//! A client wakes a worker of its own process without the database. If that worker cannot start the jobs, others are notified.

use std::time::Duration;

use pgjobq::RunningWorker;
use pgjobq::prelude::*;
use pgjobq_core::__private::NewJob;
use pgjobq_core::worker_api::{QueueId, SCHEDULED, Signal};
use tokio::sync::broadcast;

use crate::gate::{Gate, result};
use crate::harness::TestDb;
use crate::lifecycle::double;

/// Lets looks find nothing from now on, so that only a wake-up finds a job.
async fn looks_find_nothing(db: &TestDb) {
    let replaced = "do $$ begin
        execute regexp_replace(pg_get_functiondef('pgjobq.peek'::regproc), '\\nbegin\\n',
            E'\\nbegin\\n    scanned_to := p_low; quarantined := false; quarantine := p_quarantine; return;\\n');
    end $$";
    db.run(replaced).await;
}

/// Returns when this number of workers waits to be notified.
async fn idle_workers(db: &TestDb, count: usize) {
    db.until(&format!("(select count(*) from pgjobq.workers where idle <> '{{}}') = {count}")).await;
}

/// Starts a worker with this number of slots on a client whose first worker it is. Its listener will not wake it any more.
async fn serving(client: &Client, slots: usize) -> RunningWorker {
    let mut signals = client.signals();
    let worker = Worker::builder(client).queue("default", slots).heartbeat(Duration::from_millis(200));
    let worker = worker.build().await.unwrap().start();
    assert!(matches!(signals.recv().await, Ok(Signal::Anything)), "the client listens");
    worker
}

/// Listens for notifications, on another connection than the client of the test.
pub(crate) async fn listen(db: &TestDb) -> (Client, broadcast::Receiver<Signal>) {
    let client = Client::new(db.pool.clone());
    let mut signals = client.signals();
    assert!(matches!(signals.recv().await, Ok(Signal::Anything)), "the client listens");
    (client, signals)
}

/// Returns when workers are notified of ready jobs.
pub(crate) async fn others_are_notified(signals: &mut broadcast::Receiver<Signal>) {
    let heard = async {
        while !matches!(signals.recv().await, Ok(Signal::Wake(queues)) if !queues.contains(&SCHEDULED)) {}
    };
    tokio::time::timeout(Duration::from_secs(30), heard).await.expect("other workers are notified");
}

/// Returns the number of wake-ups that were notified until now.
async fn notified(db: &TestDb, signals: &mut broadcast::Receiver<Signal>) -> usize {
    const MARK: QueueId = QueueId(i32::MAX);
    db.run(&format!("select pg_notify(pgjobq.channel(), 'wake {}')", MARK.0)).await;
    let mut count = 0;
    loop {
        match signals.recv().await.unwrap() {
            Signal::Wake(queues) if *queues == [MARK] => return count,
            Signal::Wake(_) => count += 1,
            _ => {}
        }
    }
}

on_one_shard!(idle_worker_of_the_process_starts_jobs_without_notifications);
async fn idle_worker_of_the_process_starts_jobs_without_notifications(db: TestDb) {
    looks_find_nothing(&db).await;
    let worker = db.worker().build().await.unwrap().start();
    idle_workers(&db, 1).await;
    let (listening, mut signals) = listen(&db).await;
    for n in 0..20 {
        assert_eq!(double::call(&db.client, n).await.unwrap(), 2 * n);
    }
    // On a slow machine the worker may give up a promise.
    assert!(notified(&db, &mut signals).await <= 3, "20 jobs");
    // A client of another process notifies, as does a caller's transaction.
    assert_eq!(double::call(&Client::new(db.pool.clone()), 1).await.unwrap(), 2);
    let mut tx = db.pool.begin().await.unwrap();
    let theirs = double::enqueue(&mut *tx, 5).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(theirs.wait(&db.client).await.unwrap(), Outcome::Completed(10));
    assert_eq!(notified(&db, &mut signals).await, 2);
    worker.shutdown().await.unwrap();
    listening.close().await;
}

on_one_shard!(others_are_notified_if_the_local_worker_is_full);
async fn others_are_notified_if_the_local_worker_is_full(db: TestDb) {
    looks_find_nothing(&db).await;
    let full = serving(&db.client, 1).await;
    idle_workers(&db, 1).await;
    let gate = Gate::new();
    let first = gate.job().enqueue(&db.client).await.unwrap();
    gate.until(|count| count.inside == 1).await;
    let elsewhere = Client::new(db.pool.clone());
    let other = serving(&elsewhere, 1).await;
    let newest = "select idle <> '{}' from pgjobq.workers order by started_at desc limit 1";
    db.until(&format!("(select count(*) from pgjobq.workers) = 2 and ({newest})")).await;
    let second = gate.job().enqueue(&db.client).await.unwrap();
    gate.until(|count| count.inside == 2).await;
    gate.open();
    for job in [first, second] {
        result(&db, &job).await;
    }
    full.shutdown().await.unwrap();
    other.shutdown().await.unwrap();
    elsewhere.close().await;
}

on_one_shard!(workers_of_other_processes_share_the_jobs_of_one);
async fn workers_of_other_processes_share_the_jobs_of_one(db: TestDb) {
    looks_find_nothing(&db).await;
    let own = serving(&db.client, 4).await;
    idle_workers(&db, 1).await;
    let (listening, mut signals) = listen(&db).await;
    let gate = Gate::new();
    // At most half of the slots are filled without a notification.
    for (jobs, notifications) in [(1, 0), (2, 0), (3, 1), (4, 1)] {
        gate.job().enqueue(&db.client).await.unwrap();
        gate.until(|count| count.inside == jobs).await;
        assert_eq!(notified(&db, &mut signals).await, notifications, "of {jobs} jobs");
    }
    gate.open();
    db.until("not exists (select from pgjobq.jobs)").await;
    own.shutdown().await.unwrap();
    listening.close().await;
}

on_one_shard!(worker_that_finds_other_jobs_first_notifies_others);
async fn worker_that_finds_other_jobs_first_notifies_others(db: TestDb) {
    looks_find_nothing(&db).await;
    let own = serving(&db.client, 1).await;
    let elsewhere = Client::new(db.pool.clone());
    let other = serving(&elsewhere, 1).await;
    idle_workers(&db, 2).await;
    // A job for which no worker was woken takes the only slot.
    let gate = Gate::new();
    db.run(&format!(
        "insert into pgjobq.jobs (shard, id, created_at, ticket, queue_id, priority, retries, max_crashes, kind, args)
         select 0, gen_random_uuid(), now(), nextval('pgjobq.ticket'), q.id, 3, 0, 3, 'stand',
                jsonb_build_object('gate', '{}')
           from pgjobq.queues q where q.name = 'default'",
        gate.name
    ))
    .await;
    gate.job().enqueue(&db.client).await.unwrap();
    gate.until(|count| count.inside == 2).await;
    gate.open();
    db.until("not exists (select from pgjobq.jobs)").await;
    own.shutdown().await.unwrap();
    other.shutdown().await.unwrap();
    elsewhere.close().await;
}

on_one_shard!(jobs_of_unknown_kinds_are_notified);
async fn jobs_of_unknown_kinds_are_notified(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    idle_workers(&db, 1).await;
    let (listening, mut signals) = listen(&db).await;
    let stranger: NewJob<()> = NewJob::new("stranger", &pgjobq_core::Policy::DEFAULT, &serde_json::json!({}));
    stranger.enqueue(&db.client).await.unwrap();
    others_are_notified(&mut signals).await;
    worker.shutdown().await.unwrap();
    listening.close().await;
}

on_one_shard!(others_are_notified_if_the_promoters_worker_is_full);
async fn others_are_notified_if_the_promoters_worker_is_full(db: TestDb) {
    let full = serving(&db.client, 1).await;
    let gate = Gate::new();
    gate.job().enqueue(&db.client).await.unwrap();
    gate.until(|count| count.inside == 1).await;
    let (listening, mut signals) = listen(&db).await;
    gate.job().delay(Duration::from_millis(100)).enqueue(&db.client).await.unwrap();
    others_are_notified(&mut signals).await;
    gate.open();
    full.shutdown().await.unwrap();
    listening.close().await;
}

on_one_shard!(others_are_notified_of_reaped_jobs);
async fn others_are_notified_of_reaped_jobs(db: TestDb) {
    let (listening, mut signals) = listen(&db).await;
    let gate = Gate::new();
    insert_leased(&db, &gate, "7").await;
    let worker = serving(&db.client, 1).await;
    others_are_notified(&mut signals).await;
    gate.open();
    worker.shutdown().await.unwrap();
    listening.close().await;
}

on_one_shard!(others_are_notified_of_the_jobs_of_a_returned_lease);
async fn others_are_notified_of_the_jobs_of_a_returned_lease(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    idle_workers(&db, 1).await;
    let (listening, mut signals) = listen(&db).await;
    let gate = Gate::new();
    insert_leased(&db, &gate, "(select id from pgjobq.workers)").await;
    others_are_notified(&mut signals).await;
    gate.open();
    worker.shutdown().await.unwrap();
    listening.close().await;
}

/// Inserts a job without a notification, under a lease of this worker that no process knows.
async fn insert_leased(db: &TestDb, gate: &Gate, worker: &str) {
    db.run(&format!(
        "with job as (
            insert into pgjobq.jobs (shard, id, created_at, ticket, queue_id, priority, retries, max_crashes, kind, args)
            select 0, gen_random_uuid(), now(), nextval('pgjobq.ticket'), q.id, 1, 0, 3, 'stand',
                   jsonb_build_object('gate', '{}')
              from pgjobq.queues q where q.name = 'default'
            returning *)
         insert into pgjobq.leases (shard, queue_id, priority, max_ticket, id, worker, claimed_at, tickets)
         select shard, queue_id, priority, ticket, 7, {worker}, now() - interval '1 hour',
                int8multirange(int8range(ticket, ticket + 1)) from job",
        gate.name
    ))
    .await;
}
