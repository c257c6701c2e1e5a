//! Each item of a call ends by itself: as it was ended, or as the call ends.

use std::sync::atomic::Ordering;
use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{FailureReason, JobState};

use super::{ALL_ENDED, Item, calls, enqueue, items, note, start};
use crate::harness::TestDb;
use crate::probe::{Probe, end_of};

/// Returns why a job is dead.
async fn failure_of(db: &TestDb, job: &JobHandle<()>) -> (FailureReason, String) {
    let Outcome::Dead(failure) = end_of(&db.client, job).await else { panic!("the job is not dead") };
    let last = failure.errors.last().expect("a dead job has an error");
    (last.reason, last.message.clone())
}

/// Ends each item in another way, six in a call.
#[job(kind = "batches_ends", batch = 6, within = "5s", retries = 3)]
async fn ends(items: Batch<Item>) -> BatchResult {
    note(&items);
    let day = Duration::from_secs(86_400);
    for item in items {
        match item.number {
            0 => item.complete(),
            1 => item.fail(JobError::fatal("never")),
            2 => item.snooze(day),
            3 => item.retry_in(day, "not today"),
            4 => item.cancel(),
            _ => {} // As the call.
        }
    }
    Ok(())
}

on_one_and_eight_shards!(items_complete_fail_snooze_and_cancel_by_themselves);
async fn items_complete_fail_snooze_and_cancel_by_themselves(db: TestDb) {
    let probe = Probe::new();
    let worker = start(&db, 5).await;
    let jobs = enqueue(&db, ends::job, &probe, 0..6).await;
    assert_eq!(end_of(&db.client, &jobs[0]).await, Outcome::Completed(()));
    assert_eq!(failure_of(&db, &jobs[1]).await, (FailureReason::Fatal, "never".to_owned()));
    assert_eq!(end_of(&db.client, &jobs[4]).await, Outcome::Cancelled);
    assert_eq!(end_of(&db.client, &jobs[5]).await, Outcome::Completed(()));
    db.until("(select count(*) from pgjobq.job_states where state = 'scheduled') = 2").await;
    for (job, failures) in [(&jobs[2], 0), (&jobs[3], 1)] {
        let status = job.status(&db.client).await.unwrap().unwrap();
        assert_eq!((status.state, status.attempts, status.failures), (JobState::Scheduled, 1, failures));
    }
    worker.shutdown().await.unwrap();
    assert_eq!(calls(&probe).len(), 1);
}

/// Ends the first item, and then itself in a way that the number of the second chooses.
#[job(kind = "batches_fails", batch = 3, within = "5s", retries = 0)]
async fn fails(items: Batch<Item>) -> BatchResult {
    note(&items);
    let mut items = items.into_iter();
    items.next().expect("three items").complete();
    match items.next().expect("three items").number {
        1 => Err("the index is down".into()),
        11 => panic!("a bug"),
        _ => Err(JobError::snooze(Duration::from_secs(86_400))),
    }
}

on_one_shard!(error_of_a_call_fails_each_item_without_an_end);
async fn error_of_a_call_fails_each_item_without_an_end(db: TestDb) {
    let probe = Probe::new();
    let worker = start(&db, 5).await;
    let jobs = enqueue(&db, fails::job, &probe, 0..3).await;
    assert_eq!(end_of(&db.client, &jobs[0]).await, Outcome::Completed(()));
    for job in &jobs[1..] {
        assert_eq!(failure_of(&db, job).await, (FailureReason::Error, "the index is down".to_owned()));
    }
    enqueue(&db, fails::job, &probe, 20..23).await;
    db.until("(select count(*) from pgjobq.job_states where state = 'scheduled' and failures = 0) = 2").await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(panic_fails_the_items_of_its_call_alone);
async fn panic_fails_the_items_of_its_call_alone(db: TestDb) {
    let probe = Probe::new();
    let jobs = enqueue(&db, fails::job, &probe, 10..13).await;
    let others = enqueue(&db, super::four::job, &probe, 0..4).await;
    let worker = start(&db, 5).await;
    assert_eq!(end_of(&db.client, &jobs[0]).await, Outcome::Completed(()), "it had its end before");
    for job in &jobs[1..] {
        assert_eq!(failure_of(&db, job).await, (FailureReason::Panic, "it panicked: a bug".to_owned()));
    }
    for job in &others {
        assert_eq!(end_of(&db.client, job).await, Outcome::Completed(()));
    }
    worker.shutdown().await.unwrap();
}

on_one_shard!(item_that_does_not_decode_dies_alone);
async fn item_that_does_not_decode_dies_alone(db: TestDb) {
    let probe = Probe::new();
    let jobs = enqueue(&db, super::four::job, &probe, 0..3).await;
    db.run("select pgjobq.enqueue('batches_four', '{\"items\": {\"probe\": \"text\"}}', retries => 0)").await;
    let worker = start(&db, 5).await;
    for job in &jobs {
        assert_eq!(end_of(&db.client, job).await, Outcome::Completed(()));
    }
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    assert_eq!(calls(&probe), [[0, 1, 2]]);
    let dead = db.client.dead_jobs().list(10).await.unwrap();
    assert_eq!((dead.len(), dead[0].errors[0].reason), (1, FailureReason::Decode));
}

/// Fails at first.
#[job(kind = "batches_again", batch = 5, within = "50ms", retries = 3, backoff = "1ms")]
async fn again(items: Batch<Item>) -> BatchResult {
    note(&items);
    items
        .each(|item| async move {
            if item.attempt() < 3 { Err(format!("{} fails", item.number)) } else { Ok(()) }
        })
        .await
}

on_one_shard!(failed_items_are_retried_each_with_its_own_count);
async fn failed_items_are_retried_each_with_its_own_count(db: TestDb) {
    let probe = Probe::new();
    let worker = start(&db, 2).await;
    let jobs = enqueue(&db, again::job, &probe, 0..5).await;
    for job in &jobs {
        assert_eq!(end_of(&db.client, job).await, Outcome::Completed(()));
        assert_eq!(job.status(&db.client).await.unwrap().unwrap().attempts, 3);
    }
    worker.shutdown().await.unwrap();
    assert_eq!(calls(&probe).concat().len(), 15);
}

/// Ends each item as its place says, and gives too few answers if there is an item 9.
#[job(kind = "batches_answers", batch = 2, within = "5s", retries = 0)]
async fn answers(items: Batch<Item>) -> BatchResult {
    let answers: Vec<std::result::Result<(), String>> = items
        .iter()
        .filter(|item| item.number != 9)
        .map(|item| Err(format!("answer {}", item.number)))
        .collect();
    items.settle(answers)
}

on_one_shard!(answers_belong_to_the_items_in_their_order);
async fn answers_belong_to_the_items_in_their_order(db: TestDb) {
    let probe = Probe::new();
    let worker = start(&db, 2).await;
    let mut jobs = enqueue(&db, answers::job, &probe, 1..3).await;
    jobs.extend(enqueue(&db, answers::job, &probe, 8..10).await);
    let mut messages = Vec::new();
    for job in &jobs {
        messages.push(failure_of(&db, job).await.1);
    }
    worker.shutdown().await.unwrap();
    let missing =
        "the call has 2 items and 1 results, so none can be assigned: give one result for each item";
    assert_eq!(messages, ["answer 1", "answer 2", missing, missing], "nobody knows whose the one answer is");
}

/// Completes its items, and goes on.
#[job(kind = "batches_early", batch = 2, within = "5s", retries = 0)]
async fn early(items: Batch<Item>) {
    let probe = note(&items);
    items.into_iter().for_each(|item| item.complete());
    probe.pass().await;
    probe.reached.fetch_add(1, Ordering::SeqCst);
}

on_one_shard!(item_that_ended_is_recorded_during_its_call);
async fn item_that_ended_is_recorded_during_its_call(db: TestDb) {
    let probe = Probe::new();
    let worker = start(&db, 1).await;
    let jobs = enqueue(&db, early::job, &probe, 0..2).await;
    for job in &jobs {
        assert_eq!(end_of(&db.client, job).await, Outcome::Completed(()));
    }
    assert_eq!(probe.reached(), 0);
    probe.gate.add_permits(1);
    worker.shutdown().await.unwrap();
    assert_eq!(probe.reached(), 1, "nobody waits for the call, and it is not cut off");
}

on_one_shard!(lone_item_that_ended_keeps_its_end_after_a_timeout);
async fn lone_item_that_ended_keeps_its_end_after_a_timeout(db: TestDb) {
    let probe = Probe::new();
    let worker = start(&db, 1).await;
    let once = |item| overlong::job(item).max_crashes(0); // It waits for no other, and has a call of its own.
    let job = enqueue(&db, once, &probe, 0..1).await.remove(0);
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(()));
    worker.shutdown().await.unwrap();
    assert_eq!(probe.reached(), 0, "the timeout has dropped the call");
}

/// Completes its items, and runs for longer than it may.
#[job(kind = "batches_overlong", batch = 2, within = "5s", timeout = "100ms", retries = 0)]
async fn overlong(items: Batch<Item>) {
    let probe = note(&items);
    items.into_iter().for_each(|item| item.complete());
    probe.pass().await;
    probe.reached.fetch_add(1, Ordering::SeqCst);
}

on_one_shard!(items_are_steps_of_a_workflow);
async fn items_are_steps_of_a_workflow(db: TestDb) {
    let probe = Probe::new();
    let mut flow = Workflow::new("batches");
    let first: Vec<_> =
        items(&probe, 0..4).into_iter().map(|item| flow.add(super::four::step(item))).collect();
    for item in items(&probe, 4..8) {
        flow.add(super::four::step(item).after(&first[0]).after(&first[3]));
    }
    let worker = start(&db, 2).await;
    let flow = flow.enqueue(&db.client).await.unwrap();
    let ended = flow.wait_timeout(&db.client, crate::harness::PATIENCE).await.unwrap();
    assert!(matches!(ended, WorkflowOutcome::Completed));
    worker.shutdown().await.unwrap();
    assert_eq!(calls(&probe), [[0, 1, 2, 3], [4, 5, 6, 7]]);
}
