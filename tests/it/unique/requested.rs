//! Jobs that have met another one with their key, as long as it is not settled what becomes of them.

use pgjobq::{Cause, WaitError};

use super::*;

on_one_shard!(requested_job_without_room_is_explained);
async fn requested_job_without_room_is_explained(db: TestDb) {
    db.client.queue("default").bounded(1).save().await.unwrap();
    let first = sync(1).enqueue(&db.client).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    // A holder that has ended by the commit, and a full queue.
    db.run("select pgjobq.save_bound(id, 2, null) from pgjobq.queues where name = 'default'").await;
    let newer = sync(1).on_duplicate(OnDuplicate::Replace);
    let id = newer.job_id();
    assert_eq!(newer.enqueue(&mut *tx).await.unwrap().outcome(), EnqueueOutcome::Replaced(first.id()));
    first.cancel(&db.client).await.unwrap();
    tx.commit().await.unwrap();
    db.client.enqueue_all([sync(2), sync(3)]).await.unwrap();
    let settle = "select from pgjobq.settle_unique(0::smallint, null, null, 10)";
    db.run(settle).await;
    let explanation = db.client.explain(id).await.unwrap();
    let expected = Cause::Duplicate { key: "tenant:1".to_owned(), holder: Some(first.id()), full: true };
    assert_eq!(explanation.reasons[0].cause, expected, "{explanation}");
    assert!(explanation.to_string().contains("Its queue `default` is full"), "{explanation}");
    let requested = "select requested from pgjobq.queue_overview where queue = 'default'";
    assert_eq!(db.number(requested).await, 1);
    let handle = unique_sync::handle(id);
    let waited = handle.wait_timeout(&db.client, Duration::from_secs(2)).await;
    assert!(matches!(waited, Err(WaitError::TimedOut { .. })), "{waited:?}");
    db.client.queue("default").purge().await.unwrap();
    db.run(settle).await;
    assert_eq!((db.number(requested).await, jobs(&db).await), (0, 1));
    assert!(handle.status(&db.client).await.unwrap().is_some());
}

on_one_shard!(deleted_request_changes_and_enqueues_nothing);
async fn deleted_request_changes_and_enqueues_nothing(db: TestDb) {
    let ended = sync(1).enqueue(&db.client).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let anew = sync(1).on_duplicate(OnDuplicate::Replace);
    let id = anew.job_id();
    anew.enqueue(&mut *tx).await.unwrap();
    ended.cancel(&db.client).await.unwrap();
    let waits = sync(2).enqueue(&db.client).await.unwrap();
    let change = unique_sync::job(9, 0).unique("tenant:2").on_duplicate(OnDuplicate::Replace);
    let change_id = change.job_id();
    change.enqueue(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    for id in [id, change_id] {
        let reason = db.client.explain(id).await.unwrap().reasons.swap_remove(0);
        assert!(matches!(reason.cause, Cause::Duplicate { full: false, .. }), "{reason:?}");
        assert!(!reason.sentence.contains("full"), "{reason:?}");
        // As the documentation for operators says.
        db.run(&format!("delete from pgjobq.unique_requests where id = '{id}'")).await;
        assert_eq!(db.client.explain(id).await.unwrap().reasons[0].cause, Cause::NotFound);
    }
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(waits.wait(&db.client).await.unwrap(), Outcome::Completed(2));
    worker.shutdown().await.unwrap();
    assert!(unique_sync::handle(id).status(&db.client).await.unwrap().is_none());
    assert_eq!(jobs(&db).await, 0);
}
