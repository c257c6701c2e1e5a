//! A scenario for each event of a healthy fleet.

use std::time::Duration;

use pgjobq::observe::{BatchOf, Event, Outcome};
use pgjobq::prelude::*;
use pgjobq::{FailureReason, enqueue_all};

use super::{observed, worker};
use crate::harness::TestDb;
use crate::probe::{Probe, end_of};

/// Ends as its argument says.
#[job(retries = 1, backoff = "1ms")]
pub(super) async fn observed_end(ctx: JobContext, how: String) -> Result<()> {
    match &*how {
        "fail" => Err("as it should".into()),
        "fail once" if ctx.attempt() == 1 => Err("as it should".into()),
        "panic" => panic!("as it should"),
        "fatal" => Err(JobError::fatal("as it should")),
        "snooze" if ctx.attempt() == 1 => Err(JobError::snooze(Duration::from_millis(1))),
        "cancel" => Err(JobError::cancel()),
        _ => Ok(()),
    }
}

/// Runs until its test opens the gate, or it is asked to stop.
#[job]
pub(super) async fn observed_wait(ctx: JobContext, probe: u64) -> Result<()> {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    tokio::select! {
        _ = probe.gate.acquire() => Ok(()),
        _ = ctx.stop_requested() => Err("it was stopped".into()),
    }
}

on_one_and_eight_shards!(each_attempt_starts_once_and_ends_once);
async fn each_attempt_starts_once_and_ends_once(db: TestDb) {
    let (client, seen) = observed(&db);
    let worker = worker(&client).build().await.unwrap().start();
    let cases: [(&str, &[Outcome]); 7] = [
        ("complete", &[Outcome::Completed]),
        ("fail", &[Outcome::Retried, Outcome::Dead]),
        ("fail once", &[Outcome::Retried, Outcome::Completed]),
        ("panic", &[Outcome::Retried, Outcome::Dead]),
        ("fatal", &[Outcome::Dead]),
        ("snooze", &[Outcome::Snoozed, Outcome::Completed]),
        ("cancel", &[Outcome::Cancelled]),
    ];
    let mut jobs = Vec::new();
    for (how, _) in cases {
        jobs.push(observed_end::enqueue(&client, how.to_owned()).await.unwrap());
    }
    for job in &jobs {
        let _ = end_of(&db.client, job).await;
    }
    worker.shutdown().await.unwrap();
    client.close().await;

    for ((how, expected), job) in cases.iter().zip(&jobs) {
        assert_eq!(seen.outcomes(job.id()), *expected, "{how}");
    }
    let attempts: usize = cases.iter().map(|(_, outcomes)| outcomes.len()).sum();
    assert_eq!(seen.count(|event| matches!(event, Event::Started(_))), attempts);
    assert!(seen.count(|event| matches!(event, Event::Claimed(_))) >= attempts);
    assert_eq!(seen.count(|event| matches!(event, Event::Enqueued(new) if new.committed)), jobs.len());
    assert_eq!(seen.count(|event| matches!(event, Event::LeaseLost(_) | Event::StaleResult(_))), 0);
    for ended in seen.ended() {
        assert_eq!((&*ended.job.kind, &*ended.job.queue), ("observed_end", "default"));
        assert!(ended.wait.is_some() && ended.run.is_some(), "{ended:?}");
    }
    let panicked = seen.ended().into_iter().find(|ended| ended.job.id == jobs[3].id()).unwrap();
    assert_eq!(panicked.reason, Some(FailureReason::Panic));
}

on_one_shard!(batches_are_observed_with_their_sizes);
async fn batches_are_observed_with_their_sizes(db: TestDb) {
    let (client, seen) = observed(&db);
    client.enqueue_all((0..30).map(|_| observed_end::job(String::new()))).await.unwrap();
    let worker = worker(&client).build().await.unwrap().start();
    db.until("not exists (select from pgjobq.jobs)").await;
    worker.shutdown().await.unwrap();
    client.close().await;
    let sum = |of: BatchOf| {
        let size = |event| match event {
            Event::Batch(batch) if batch.of == of => batch.size,
            _ => 0,
        };
        seen.all().into_iter().map(size).sum::<u64>()
    };
    assert_eq!((sum(BatchOf::Enqueue), sum(BatchOf::Finish)), (30, 30));
    assert!(sum(BatchOf::Claim) >= 30);
    assert_eq!(seen.count(|event| matches!(event, Event::Enqueued(_))), 30);
}

on_one_shard!(enqueue_in_a_transaction_is_observed_as_uncommitted);
async fn enqueue_in_a_transaction_is_observed_as_uncommitted(db: TestDb) {
    let (client, seen) = observed(&db);
    let mut tx = db.pool.begin().await.unwrap();
    let job = observed_end::job(String::new()).enqueue(client.within(&mut tx)).await.unwrap();
    tx.rollback().await.unwrap();
    let id = JobId::new();
    for _ in 0..2 {
        observed_end::job(String::new()).id(id).enqueue(&client).await.unwrap();
    }
    client.close().await;
    let new = |event: &Event| match event {
        Event::Enqueued(new) => Some((new.job.id, new.committed)),
        _ => None,
    };
    let new: Vec<_> = seen.all().iter().filter_map(new).collect();
    assert_eq!(new, [(job.id(), false), (id, true)], "a duplicate is no new job");
}

on_one_shard!(job_twice_in_a_batch_is_observed_once);
async fn job_twice_in_a_batch_is_observed_once(db: TestDb) {
    let (client, seen) = observed(&db);
    let id = JobId::new();
    let batch = || [id, JobId::new(), id].map(|id| observed_end::job(String::new()).id(id));
    let counts = client.enqueue_all(batch()).await.unwrap();
    assert_eq!((counts.new, counts.duplicates), (2, 1));
    let mut tx = db.pool.begin().await.unwrap();
    let other = JobId::new();
    let twice = [other, other].map(|id| observed_end::job(String::new()).id(id));
    enqueue_all(client.within(&mut tx), twice).await.unwrap();
    tx.commit().await.unwrap();
    client.close().await;
    let times = |id| seen.count(|event| matches!(event, Event::Enqueued(new) if new.job.id == id));
    assert_eq!((times(id), times(other)), (1, 1));
    assert_eq!(seen.count(|event| matches!(event, Event::Enqueued(_))), 3);
}

on_one_shard!(shutdown_releases_and_cancel_ends_running_attempts);
async fn shutdown_releases_and_cancel_ends_running_attempts(db: TestDb) {
    let (client, seen) = observed(&db);
    let worker = worker(&client).grace(Duration::from_millis(50)).build().await.unwrap().start();
    let probe = Probe::new();
    let released = observed_wait::enqueue(&client, probe.number).await.unwrap();
    let cancelled = observed_wait::enqueue(&client, probe.number).await.unwrap();
    probe.until(|probe| probe.running() == 2).await;
    cancelled.cancel(&client).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    worker.shutdown().await.unwrap();
    assert_eq!(seen.outcomes(released.id()), [Outcome::Released], "a shutdown waits for observers");
    assert_eq!(seen.outcomes(cancelled.id()), [Outcome::Cancelled]);
    client.close().await;
}

on_one_shard!(clock_that_is_set_back_makes_no_wait_negative);
async fn clock_that_is_set_back_makes_no_wait_negative(db: TestDb) {
    let (client, seen) = observed(&db);
    client.enqueue_all((0..3).map(|_| observed_end::job(String::new()))).await.unwrap();
    // As if the clock of the server had been a day ahead.
    db.run("update pgjobq.jobs set created_at = created_at + interval '1 day'").await;
    let worker = worker(&client).build().await.unwrap().start();
    db.until("not exists (select from pgjobq.jobs)").await;
    worker.shutdown().await.unwrap();
    client.close().await;
    let ended = seen.ended();
    assert_eq!(ended.len(), 3);
    let hour = Duration::from_secs(3600);
    assert!(ended.iter().all(|ended| ended.wait.is_some_and(|wait| wait < hour)), "{ended:?}");
    assert!(ended.iter().all(|ended| ended.run.is_some_and(|run| run < hour)), "{ended:?}");
}

on_one_shard!(jobs_committed_late_are_observed_as_swept);
async fn jobs_committed_late_are_observed_as_swept(db: TestDb) {
    let (client, seen) = observed(&db);
    let worker = worker(&client).build().await.unwrap().start();
    let mut late = db.pool.begin().await.unwrap();
    let job = observed_end::job(String::new()).enqueue(client.within(&mut late)).await.unwrap();
    // Claims go past the ticket of the open transaction, which is far behind: a claim looks at the last few again.
    db.run("select setval('pgjobq.ticket', 1000000)").await;
    for _ in 0..3 {
        let passed = observed_end::enqueue(&client, String::new()).await.unwrap();
        let _ = end_of(&db.client, &passed).await;
    }
    late.commit().await.unwrap();
    seen.until(|event| matches!(event, Event::Ended(ended) if ended.job.id == job.id())).await;
    worker.shutdown().await.unwrap();
    client.close().await;
    let swept =
        |event: &Event| matches!(event, Event::Swept(swept) if &*swept.queue == "default" && swept.jobs > 0);
    assert!(seen.count(swept) > 0);
}
