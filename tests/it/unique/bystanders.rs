//! Jobs that are enqueued together with unique ones.

use super::*;

on_one_shard!(answer_waits_for_no_other_callers_request);
async fn answer_waits_for_no_other_callers_request(db: TestDb) {
    let replacing = || sync_waiting(7).on_duplicate(OnDuplicate::Replace);
    let first = replacing().enqueue(&db.client).await.unwrap();
    db.run(
        "alter function pgjobq.settle_own_unique rename to settle_own_unique_later;
         create function pgjobq.settle_own_unique(
             p_shard smallint, p_ids uuid[],
             out settled uuid[], out holders uuid[], out changed boolean[], out queues int[], out again boolean)
         language plpgsql as $$ begin
             perform pg_advisory_xact_lock(77);
             select s.settled, s.holders, s.changed, s.queues, s.again
               into settled, holders, changed, queues, again
               from pgjobq.settle_own_unique_later(p_shard, p_ids) s;
         end $$",
    )
    .await;
    let mut gate = db.pool.begin().await.unwrap();
    sqlx::raw_sql("select pg_advisory_xact_lock(77)").execute(&mut *gate).await.unwrap();
    let client = db.client.clone();
    let replaces = tokio::spawn(async move { replacing().enqueue(&client).await.unwrap().outcome() });
    let waits = "exists (select from pg_stat_activity where wait_event = 'advisory' and datname = current_database())";
    db.until(waits).await;
    let mut same = Vec::new();
    for tenant in 100..103 {
        let client = db.client.clone();
        same.push(tokio::spawn(async move { replacing().enqueue(&client).await.unwrap().outcome() }));
        let plain = (0..4).map(|_| unique_sync::job(tenant, 0).enqueue(&db.client));
        for plain in futures_util::future::join_all(plain).await {
            assert!(plain.unwrap().is_new());
        }
    }
    assert!(!replaces.is_finished() && same.iter().all(|one| !one.is_finished()));
    gate.rollback().await.unwrap();
    assert_eq!(replaces.await.unwrap(), EnqueueOutcome::Replaced(first.id()));
    for same in same {
        assert_eq!(same.await.unwrap(), EnqueueOutcome::Replaced(first.id()));
    }
}
