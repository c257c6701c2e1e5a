//! Failures, crashes, cancellations and requeues of unique jobs.

use pgjobq::{CancelOutcome, RequeueOutcome};

use super::*;

on_one_and_eight_shards!(retried_and_crashed_jobs_keep_their_key);
async fn retried_and_crashed_jobs_keep_their_key(db: TestDb) {
    let first = sync(1).enqueue(&db.client).await.unwrap();
    claim_all(&db).await;
    let second = sync_waiting(1).enqueue(&db.client).await.unwrap();
    assert!(second.is_new());
    crash(&db).await;
    assert_eq!(jobs(&db).await, 2, "both wait now, and no key was in the way");
    for job in [sync(1), sync_waiting(1)] {
        assert!(!job.enqueue(&db.client).await.unwrap().is_new());
    }
    let worker = db.worker().build().await.unwrap().start();
    for handle in [first, second] {
        assert_eq!(handle.wait(&db.client).await.unwrap(), Outcome::Completed(1));
    }
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(dead_and_cancelled_jobs_free_their_key);
async fn dead_and_cancelled_jobs_free_their_key(db: TestDb) {
    let cancelled = sync(1).enqueue(&db.client).await.unwrap();
    assert_eq!(cancelled.cancel(&db.client).await.unwrap(), CancelOutcome::Cancelled);
    assert!(sync(1).enqueue(&db.client).await.unwrap().is_new());
    let worker = db.worker().build().await.unwrap().start();
    let failing = unique_fail::job(2).unique("failing").enqueue(&db.client).await.unwrap();
    assert!(matches!(failing.wait(&db.client).await.unwrap(), Outcome::Dead(_)));
    worker.shutdown().await.unwrap();
    assert!(unique_fail::job(2).unique("failing").enqueue(&db.client).await.unwrap().is_new());
}

on_one_and_eight_shards!(requeued_job_comes_back_beside_the_new_holder);
async fn requeued_job_comes_back_beside_the_new_holder(db: TestDb) {
    let first = sync(1).enqueue(&db.client).await.unwrap();
    first.cancel(&db.client).await.unwrap();
    let second = sync(1).enqueue(&db.client).await.unwrap();
    assert_eq!(first.requeue(&db.client).await.unwrap(), RequeueOutcome::Requeued);
    assert_eq!(jobs(&db).await, 2);
    second.cancel(&db.client).await.unwrap();
    let third = sync(1).enqueue(&db.client).await.unwrap();
    assert_eq!(third.outcome(), EnqueueOutcome::Duplicate(first.id()), "it has its key again");
}

on_one_shard!(requeue_waits_for_no_callers_key);
async fn requeue_waits_for_no_callers_key(db: TestDb) {
    let first = sync(1).enqueue(&db.client).await.unwrap();
    first.cancel(&db.client).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    assert!(sync(1).enqueue(&mut *tx).await.unwrap().is_new());
    assert_eq!(first.requeue(&db.client).await.unwrap(), RequeueOutcome::Requeued);
    tx.commit().await.unwrap();
    assert_eq!(jobs(&db).await, 2);
}

on_one_shard!(requeue_as_another_job_has_that_jobs_key);
async fn requeue_as_another_job_has_that_jobs_key(db: TestDb) {
    let first = sync(1).enqueue(&db.client).await.unwrap();
    first.cancel(&db.client).await.unwrap();
    assert_eq!(first.requeue_as(&db.client, sync(2)).await.unwrap(), RequeueOutcome::Requeued);
    assert!(sync(1).enqueue(&db.client).await.unwrap().is_new());
    assert_eq!(sync(2).enqueue(&db.client).await.unwrap().id(), first.id());
}

on_one_shard!(ended_job_shows_its_unique_key);
async fn ended_job_shows_its_unique_key(db: TestDb) {
    let first = sync(1).enqueue(&db.client).await.unwrap();
    let key = |status: Option<pgjobq::Status>| status.unwrap().unique_key;
    assert_eq!(key(first.status(&db.client).await.unwrap()).as_deref(), Some("tenant:1"));
    first.cancel(&db.client).await.unwrap();
    assert_eq!(key(first.status(&db.client).await.unwrap()).as_deref(), Some("tenant:1"));
}
