//! Jobs that are dropped because their queue is full: the new ones, or the oldest.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{CallError, EnqueueError, EnqueueOutcome, WaitError, WhenFull};
use pgjobq_core::worker_api::Signal;

use super::{assert_accounted, bound_and, patient, quick};
use crate::harness::{PATIENCE, TestDb};

#[job(kind = "bounded_unkept", queue = "bounded", retain = "0s")]
async fn unkept() {}

on_one_shard!(dropped_job_does_not_count_as_completed);
async fn dropped_job_does_not_count_as_completed(db: TestDb) {
    bound_and(&db, 1, WhenFull::DropNew).await;
    db.client.queue("elsewhere").save().await.unwrap();
    quick::enqueue(&db.client, 1).await.unwrap();
    let dropped = unkept::enqueue(&db.client).await.unwrap();
    assert_eq!(dropped.outcome(), EnqueueOutcome::Dropped);
    let waited = dropped.wait(&db.client).await;
    assert!(matches!(waited, Err(WaitError::Dropped { id }) if id == dropped.id()), "{waited:?}");
    let called = unkept::job().call(&db.client).await;
    assert!(matches!(called, Err(CallError::Wait(WaitError::Dropped { .. }))), "{called:?}");
    let child = quick::job(2).queue("elsewhere").after(&dropped).enqueue(&db.client).await;
    assert!(matches!(child, Err(EnqueueError::UnknownParent { .. })), "{child:?}");
    let mut tx = db.pool.begin().await.unwrap();
    let dropped = quick::enqueue(&mut *tx, 3).await.unwrap();
    tx.commit().await.unwrap();
    // At once: it was certain in the transaction.
    assert!(matches!(dropped.wait(&db.client).await, Err(WaitError::Dropped { .. })));
}

/// Replaces the function that drops the oldest jobs by these statements, and counts its calls.
async fn drop_oldest_instead(db: &TestDb, statements: &str) {
    db.run(&format!(
        "create sequence drops;
         create or replace function pgjobq.drop_oldest(p_queue int, p_most int) returns uuid[]
         language plpgsql security definer as $$ begin
             perform nextval('public.drops');
             {statements}
             return null;
         end $$"
    ))
    .await;
}

on_one_shard!(enqueue_that_gets_no_dropped_place_pauses_and_gives_up);
async fn enqueue_that_gets_no_dropped_place_pauses_and_gives_up(db: TestDb) {
    bound_and(&db, 1, WhenFull::DropOldest).await;
    quick::enqueue(&db.client, 1).await.unwrap();
    // As if others took the place each time.
    drop_oldest_instead(&db, "").await;
    let client = patient(&db, Duration::from_secs(8));
    let error = quick::enqueue(&client, 2).await.unwrap_err();
    assert!(matches!(error, EnqueueError::QueueFull { .. }), "{error}");
    let error = client.enqueue_all((3..6).map(quick::job)).await.unwrap_err();
    assert!(matches!(error.error, EnqueueError::QueueFull { .. }), "{error}");
    let drops = db.number("select last_value from drops").await;
    assert!((4..240).contains(&drops), "{drops} calls in sixteen seconds");
    assert_accounted(&db).await;
}

on_one_shard!(policy_that_changes_while_jobs_are_dropped_counts);
async fn policy_that_changes_while_jobs_are_dropped_counts(db: TestDb) {
    bound_and(&db, 1, WhenFull::DropOldest).await;
    quick::enqueue(&db.client, 1).await.unwrap();
    drop_oldest_instead(&db, "update pgjobq.queues set when_full = 'drop_new' where id = p_queue;").await;
    let all = patient(&db, PATIENCE).enqueue_all((3..6).map(quick::job)).await.unwrap();
    assert_eq!((all.new, all.dropped), (0, 3));
    assert_eq!(db.number("select last_value from drops").await, 1);
    assert_accounted(&db).await;
}

on_one_shard!(children_of_dropped_jobs_are_announced);
async fn children_of_dropped_jobs_are_announced(db: TestDb) {
    bound_and(&db, 1, WhenFull::DropOldest).await;
    db.client.queue("elsewhere").save().await.unwrap();
    let oldest = quick::enqueue(&db.client, 1).await.unwrap();
    quick::job(2).queue("elsewhere").after(&oldest).enqueue(&db.client).await.unwrap();
    db.until("exists (select from pgjobq.edges)").await;
    let listener = patient(&db, PATIENCE);
    let mut signals = listener.signals();
    while !matches!(signals.recv().await.unwrap(), Signal::Anything) {}
    quick::enqueue(&db.client, 3).await.unwrap();
    let (mut ended, mut edges) = (false, false);
    let heard = async {
        while !(ended && edges) {
            match signals.recv().await.unwrap() {
                Signal::Ended(jobs) => ended |= jobs.contains(&oldest.id().as_uuid()),
                Signal::Edges => edges = true,
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.expect("both are announced");
}
