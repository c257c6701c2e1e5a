//! Parents whose end was lost: requeued, purged, deleted or dropped.

use pgjobq::prelude::*;

use super::*;
use crate::harness::TestDb;

/// The ways in which the record of a bad end is lost.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Loss {
    Requeue,
    Purge,
    Delete,
    Drop,
}

const UNKNOWN_END: &str = "has ended, and nobody knows how: the record was deleted, or the job was requeued";

async fn lose(db: &TestDb, parent: &JobHandle<u32>, loss: Loss) {
    match loss {
        Loss::Requeue => {
            assert!(matches!(parent.requeue(&db.client).await.unwrap(), pgjobq::RequeueOutcome::Requeued))
        }
        Loss::Purge => assert_eq!(db.client.dead_jobs().purge().await.unwrap(), 1),
        Loss::Delete => {
            let all = db.client.jobs(pgjobq::filter::id(parent.id())).delete().await.unwrap();
            assert_eq!(all.changed, 1);
        }
        Loss::Drop => {
            db.run(
                "do $$ begin while pgjobq.drop_partition(now() + interval '100 days') loop end loop; end $$",
            )
            .await;
        }
    }
}

on_one_and_eight_shards!(child_of_a_lost_bad_end_does_not_run);
async fn child_of_a_lost_bad_end_does_not_run(db: TestDb) {
    for loss in [Loss::Requeue, Loss::Purge, Loss::Delete, Loss::Drop] {
        let dies = after_end::enqueue(&db.client, true).await.unwrap();
        let mut tx = db.pool.begin().await.unwrap();
        let child = after_end::job(false).after(&dies).enqueue(&mut *tx).await.unwrap();
        let any_end = after_end::job(false).after_any_end(&dies).enqueue(&mut *tx).await.unwrap();
        let worker = db.worker().build().await.unwrap().start();
        let _ = end_of(&db.client, &dies).await;
        worker.shutdown().await.unwrap();
        // A partition is not dropped while the transaction is open, because it has read `finished`.
        if loss == Loss::Drop {
            tx.commit().await.unwrap();
            lose(&db, &dies, loss).await;
        } else {
            lose(&db, &dies, loss).await;
            tx.commit().await.unwrap();
        }
        let worker = db.worker().build().await.unwrap().start();
        assert_eq!(end_of(&db.client, &child).await, Outcome::Cancelled, "{loss:?}");
        let reason = why_cancelled(&db, child.id()).await;
        assert!(
            reason.contains(UNKNOWN_END) && reason.contains(&dies.id().to_string()),
            "{loss:?}: {reason}"
        );
        assert_eq!(end_of(&db.client, &any_end).await, Outcome::Completed(7), "{loss:?}");
        settled(&db).await;
        worker.shutdown().await.unwrap();
        db.run("delete from pgjobq.finished").await;
    }
}

on_one_and_eight_shards!(end_of_a_second_life_says_nothing_of_the_first);
async fn end_of_a_second_life_says_nothing_of_the_first(db: TestDb) {
    let dies = after_end::enqueue(&db.client, true).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let child = after_end::job(false).after(&dies).enqueue(&mut *tx).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    let _ = end_of(&db.client, &dies).await;
    worker.shutdown().await.unwrap();
    lose(&db, &dies, Loss::Requeue).await;
    tx.commit().await.unwrap();
    // The second life ends before anybody has confirmed the edge to the first one.
    assert_eq!(dies.cancel(&db.client).await.unwrap(), pgjobq::CancelOutcome::Cancelled);
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &child).await, Outcome::Cancelled);
    let reason = why_cancelled(&db, child.id()).await;
    assert!(reason.contains(UNKNOWN_END), "{reason}");
    settled(&db).await;
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(unkept_parent_completes_beside_older_lost_ends);
async fn unkept_parent_completes_beside_older_lost_ends(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    for _ in 0..10 {
        let dies = after_end::enqueue(&db.client, true).await.unwrap();
        let _ = end_of(&db.client, &dies).await;
    }
    db.run("update pgjobq.finished set finished_at = finished_at - interval '1 hour'").await;
    assert_eq!(db.client.dead_jobs().purge().await.unwrap(), 10);
    let notes = "select count(*) from pgjobq.lost_ends";
    assert!(db.number(notes).await > 0);
    db.run("select pgjobq.tidy_hints(s::smallint) from generate_series(0, 7) s").await;
    assert_eq!(db.number(notes).await, db.number("select count(distinct shard) from pgjobq.lost_ends").await);
    let gate = Gate::new();
    let held = gate.job().enqueue(&db.client).await.unwrap();
    let vanishes = after_unkept::job().after(&held).enqueue(&db.client).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let child = after_end::job(false).after(&vanishes).enqueue(&mut *tx).await.unwrap();
    gate.open();
    db.until("not exists (select from pgjobq.jobs)").await;
    tx.commit().await.unwrap();
    assert_eq!(end_of(&db.client, &child).await, Outcome::Completed(7));
    worker.shutdown().await.unwrap();
}
