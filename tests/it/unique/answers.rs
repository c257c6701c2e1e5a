//! The answers of enqueues, alone and in bulk.

use pgjobq::enqueue_each;

use super::*;

on_one_and_eight_shards!(second_job_with_a_live_key_is_a_duplicate);
async fn second_job_with_a_live_key_is_a_duplicate(db: TestDb) {
    let first = sync(1).enqueue(&db.client).await.unwrap();
    assert_eq!(first.outcome(), EnqueueOutcome::New);
    let second = sync(1).enqueue(&db.client).await.unwrap();
    assert_eq!(second.outcome(), EnqueueOutcome::Duplicate(first.id()));
    assert_eq!(
        (second.id(), second.is_new()),
        (first.id(), false),
        "the handle is that of the job that is there"
    );
    assert!(sync(2).enqueue(&db.client).await.unwrap().is_new());
    assert!(
        unique_fail::job(1).unique("tenant:1").enqueue(&db.client).await.unwrap().is_new(),
        "of another kind"
    );
    assert!(unique_sync::job(1, 0).enqueue(&db.client).await.unwrap().is_new(), "without a key");

    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(second.wait(&db.client).await.unwrap(), Outcome::Completed(1), "it waits for that job");
    assert!(sync(1).enqueue(&db.client).await.unwrap().is_new(), "the key is free");
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(key_is_held_while_its_job_runs_or_only_waits);
async fn key_is_held_while_its_job_runs_or_only_waits(db: TestDb) {
    let first = sync(1).enqueue(&db.client).await.unwrap();
    assert_eq!(sync_waiting(1).enqueue(&db.client).await.unwrap().id(), first.id());
    claim_all(&db).await;
    assert_eq!(sync(1).enqueue(&db.client).await.unwrap().outcome(), EnqueueOutcome::Duplicate(first.id()));
    let next = sync_waiting(1).enqueue(&db.client).await.unwrap();
    assert!(next.is_new(), "the first one has been claimed");
    assert_eq!(sync_waiting(1).enqueue(&db.client).await.unwrap().id(), next.id());
    claim_all(&db).await;
    assert!(sync_waiting(1).enqueue(&db.client).await.unwrap().is_new());
    assert_eq!(jobs(&db).await, 3);
}

on_one_and_eight_shards!(key_is_held_for_a_time_also_after_the_end);
async fn key_is_held_for_a_time_also_after_the_end(db: TestDb) {
    let for_an_hour = |tenant| sync(tenant).unique_while(UniqueWhile::For(HOUR));
    let first = for_an_hour(1).enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(first.wait(&db.client).await.unwrap(), Outcome::Completed(1));
    let second = for_an_hour(1).enqueue(&db.client).await.unwrap();
    assert_eq!(second.outcome(), EnqueueOutcome::Duplicate(first.id()));
    assert_eq!(second.wait(&db.client).await.unwrap(), Outcome::Completed(1));
    db.run("update pgjobq.unique_until set until = clock_timestamp() - interval '1 second'").await;
    assert!(for_an_hour(1).enqueue(&db.client).await.unwrap().is_new(), "the hour is over");
    worker.shutdown().await.unwrap();
}

on_one_shard!(keys_whose_time_is_over_are_deleted);
async fn keys_whose_time_is_over_are_deleted(db: TestDb) {
    let jobs = (0..3).map(|tenant| sync(tenant).unique_while(UniqueWhile::For(HOUR)));
    assert_eq!(db.client.enqueue_all(jobs).await.unwrap().new, 3);
    db.run("update pgjobq.unique_until set until = clock_timestamp() - interval '1 second' where unique_key < 'tenant:2'")
        .await;
    let more = "(select pgjobq.tidy_unique(0::smallint, 1))::int";
    assert_eq!((db.number(more).await, db.number(more).await, db.number(more).await), (1, 1, 0));
    assert_eq!(db.text("select string_agg(unique_key, ',') from pgjobq.unique_until").await, "tenant:2");
}

on_one_and_eight_shards!(bulk_answers_for_each_job_in_its_order);
async fn bulk_answers_for_each_job_in_its_order(db: TestDb) {
    let held = sync(7).enqueue(&db.client).await.unwrap();
    let tenants = || (0..2500).map(|n| n % 1200);
    let handles = enqueue_each(&db.client, tenants().map(sync)).await.unwrap();
    let mut first = std::collections::HashMap::from([(7, held.id())]);
    for (tenant, handle) in tenants().zip(&handles) {
        let expected = match first.get(&tenant) {
            Some(holder) => EnqueueOutcome::Duplicate(*holder),
            None => EnqueueOutcome::New,
        };
        assert_eq!(handle.outcome(), expected, "tenant {tenant}");
        assert_eq!(handle.id(), *first.entry(tenant).or_insert(handle.id()));
    }
    assert_eq!(jobs(&db).await, 1200);
    let again = db.client.enqueue_all(tenants().map(sync)).await.unwrap();
    assert_eq!((again.new, again.duplicates), (0, 2500));
}

on_one_shard!(same_job_twice_is_a_duplicate_by_id_and_key);
async fn same_job_twice_is_a_duplicate_by_id_and_key(db: TestDb) {
    let id = JobId::new();
    assert!(sync(1).id(id).enqueue(&db.client).await.unwrap().is_new());
    let again = sync(1).id(id).on_duplicate(OnDuplicate::Replace).enqueue(&db.client).await.unwrap();
    assert_eq!(again.outcome(), EnqueueOutcome::Duplicate(id));
    let other_key = sync(2).id(id).enqueue(&db.client).await.unwrap();
    assert_eq!(other_key.outcome(), EnqueueOutcome::Duplicate(id), "one id is one job");
    assert_eq!(jobs(&db).await, 1);
}

on_one_and_eight_shards!(sql_and_rust_know_the_same_keys);
async fn sql_and_rust_know_the_same_keys(db: TestDb) {
    let sql = "(select is_new from pgjobq.enqueue('unique_sync', '{\"tenant\": 1, \"probe\": 0}', unique_key => 'tenant:1'))::int";
    assert_eq!((db.number(sql).await, db.number(sql).await), (1, 0));
    let handle = sync(1).enqueue(&db.client).await.unwrap();
    assert_eq!(
        db.text("select job from pgjobq.enqueue('unique_sync', unique_key => 'tenant:1')").await,
        handle.id().to_string()
    );
    assert_eq!(jobs(&db).await, 1);
}
