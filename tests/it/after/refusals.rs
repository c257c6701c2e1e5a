//! Edges that are refused.

use pgjobq::prelude::*;
use pgjobq::{Client, EnqueueError, JobState, Workflow, WorkflowError};

use super::*;
use crate::harness::TestDb;

on_one_shard!(unknown_parent_is_refused_and_nothing_is_enqueued);
async fn unknown_parent_is_refused_and_nothing_is_enqueued(db: TestDb) {
    let known = after_end::enqueue(&db.client, false).await.unwrap();
    let nobody = JobId::new();
    let child = || after_end::job(false).after((&known, nobody));
    let is_refused = |error: &EnqueueError| matches!(error, EnqueueError::UnknownParent { kind: "after_end", parent } if *parent == nobody);
    let error = child().enqueue(&db.client).await.unwrap_err();
    assert!(is_refused(&error), "{error}");
    assert!(
        error
            .to_string()
            .starts_with(&format!("the `after_end` job cannot wait for job {nobody}, which does not exist"))
    );
    let all = db.client.enqueue_all([after_end::job(false), child()]).await.unwrap_err();
    assert!(is_refused(&all.error), "{all}");
    // A caller's transaction goes on, and a job of an open transaction of another session is not there yet.
    let (mut tx, mut other) = (db.pool.begin().await.unwrap(), db.pool.begin().await.unwrap());
    let _ = after_end::job(false).id(nobody).enqueue(&mut *other).await.unwrap();
    assert!(is_refused(&child().enqueue(&mut *tx).await.unwrap_err()));
    let own = after_end::job(false).enqueue(&mut *tx).await.unwrap();
    let after_own = after_end::job(false).after(&own).enqueue(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    other.rollback().await.unwrap();
    assert_eq!(state(&db, after_own.id()).await, JobState::Blocked);
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 3);
    let sql =
        format!("select job from pgjobq.enqueue('after_end', '{{}}', after => array['{nobody}'::uuid])");
    let error = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&db.pool).await.unwrap_err();
    assert!(
        error.to_string().contains(&format!("cannot wait for job {nobody}, which does not exist")),
        "{error}"
    );
}

on_one_shard!(parent_of_another_schema_is_refused);
async fn parent_of_another_schema_is_refused(db: TestDb) {
    let other = Client::builder(db.pool.clone()).schema("background").build().unwrap();
    other.migrate().await.unwrap();
    let there = after_end::enqueue(&other, false).await.unwrap();
    let error = after_end::job(false).after(&there).enqueue(&db.client).await.unwrap_err();
    assert!(matches!(&error, EnqueueError::UnknownParent { parent, .. } if *parent == there.id()), "{error}");
    assert!(error.to_string().contains("which does not exist in this schema"), "{error}");
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 0);
    other.close().await;
}

on_one_shard!(parent_of_another_kind_than_its_handle_is_refused);
async fn parent_of_another_kind_than_its_handle_is_refused(db: TestDb) {
    let ended = after_end::enqueue(&db.client, false).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &ended).await, Outcome::Completed(7));
    worker.shutdown().await.unwrap();
    let live = after_end::enqueue(&db.client, false).await.unwrap();
    for parent in [live.id(), ended.id()] {
        let child = || after_unkept::job().after(after_sum::handle(parent));
        let error = child().enqueue(&db.client).await.unwrap_err();
        let both = format!(
            "the `after_unkept` job cannot wait for job {parent} with a handle of the kind `after_sum`, because that job is of the kind `after_end`"
        );
        assert!(error.to_string().starts_with(&both), "{error}");
        let is_refused = |error: &EnqueueError| matches!(error, EnqueueError::ParentOfOtherKind { .. });
        let beside_the_right_one = child().after((after_end::handle(parent), parent));
        assert!(is_refused(&beside_the_right_one.enqueue(&db.client).await.unwrap_err()));
        // A caller's transaction goes on.
        let mut tx = db.pool.begin().await.unwrap();
        let all = pgjobq::enqueue_all(&mut *tx, [after_unkept::job(), child()]).await.unwrap_err();
        assert!(is_refused(&all.error), "{all}");
        let mut flow = Workflow::new("of another kind");
        flow.add(after_sum::step(after_sum::handle(parent).output()));
        let WorkflowError::Step { error, .. } = flow.enqueue(&mut *tx).await.unwrap_err() else { panic!() };
        assert!(is_refused(&error), "{error}");
        tx.commit().await.unwrap();
    }
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 1);
    let right = after_unkept::job().after((after_end::handle(live.id()), live.id()));
    assert_eq!(state(&db, right.enqueue(&db.client).await.unwrap().id()).await, JobState::Blocked);
}

on_one_shard!(cycle_through_ids_is_refused);
async fn cycle_through_ids_is_refused(db: TestDb) {
    let ids = [JobId::new(), JobId::new(), JobId::new()];
    let error = after_end::job(false).id(ids[0]).after(ids[0]).enqueue(&db.client).await.unwrap_err();
    assert!(matches!(error, EnqueueError::WaitsForItself { id, .. } if id == ids[0]), "{error}");
    let sql = format!(
        "select pgjobq.enqueue('after_end', '{{}}', id => '{0}', after => array['{0}'::uuid])",
        ids[0]
    );
    let error = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&db.pool).await.unwrap_err();
    assert!(error.to_string().contains("would wait for itself"), "{error}");
    // Each waits for the next one. Whichever comes first names one that is not there, in one statement, too.
    let ring = || (0..3).map(|n| after_end::job(false).id(ids[n]).after(ids[(n + 1) % 3]));
    for job in ring() {
        let error = job.enqueue(&db.client).await.unwrap_err();
        assert!(matches!(error, EnqueueError::UnknownParent { .. }), "{error}");
    }
    let mut tx = db.pool.begin().await.unwrap();
    let error = pgjobq::enqueue_all(&mut *tx, ring()).await.unwrap_err().error;
    assert!(matches!(error, EnqueueError::UnknownParent { .. }), "{error}");
    tx.commit().await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 0);
    // A job that is live already keeps the edges that it has.
    after_end::job(false).id(ids[2]).enqueue(&db.client).await.unwrap();
    for n in [1, 0] {
        after_end::job(false).id(ids[n]).after(ids[n + 1]).enqueue(&db.client).await.unwrap();
    }
    let again = after_end::job(false).id(ids[2]).after(ids[0]).enqueue(&db.client).await.unwrap();
    assert!(!again.is_new());
    assert_eq!(state(&db, ids[2]).await, JobState::Ready);
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &after_end::handle(ids[0])).await, Outcome::Completed(7));
    worker.shutdown().await.unwrap();
}
