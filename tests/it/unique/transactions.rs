//! Unique jobs in a caller's transaction.

use sqlx::Connection as _;

use super::*;

on_one_shard!(duplicate_in_a_transaction_locks_nothing);
async fn duplicate_in_a_transaction_locks_nothing(db: TestDb) {
    let first = sync(1).enqueue(&db.client).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    for job in [sync(1), sync_waiting(1), sync(1).on_duplicate(OnDuplicate::Replace)] {
        assert_eq!(job.enqueue(&mut *tx).await.unwrap().id(), first.id());
    }
    // The transaction goes on; and so do all others with this key.
    assert!(sync(2).enqueue(&mut *tx).await.unwrap().is_new());
    assert_eq!(sync(1).enqueue(&db.client).await.unwrap().id(), first.id());
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(first.wait(&db.client).await.unwrap(), Outcome::Completed(1));
    tx.rollback().await.unwrap();
    worker.shutdown().await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.unique_requests").await, 0);
}

on_one_and_eight_shards!(key_of_an_open_transaction_is_waited_for);
async fn key_of_an_open_transaction_is_waited_for(db: TestDb) {
    for commits in [true, false] {
        let tenant = u32::from(commits);
        let mut tx = db.pool.begin().await.unwrap();
        let theirs = sync(tenant).enqueue(&mut *tx).await.unwrap();
        let client = db.client.clone();
        let ours = tokio::spawn(async move { sync(tenant).enqueue(&client).await.unwrap() });
        db.until(
            "exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
                                                    and query like '%enqueue%')",
        )
        .await;
        assert!(sync(10 + tenant).enqueue(&db.client).await.unwrap().is_new(), "other keys are not");
        if commits {
            tx.commit().await.unwrap();
            assert_eq!(ours.await.unwrap().outcome(), EnqueueOutcome::Duplicate(theirs.id()));
        } else {
            tx.rollback().await.unwrap();
            assert!(ours.await.unwrap().is_new());
        }
    }
}

on_one_and_eight_shards!(job_starts_after_the_commit_though_its_holder_started_before);
async fn job_starts_after_the_commit_though_its_holder_started_before(db: TestDb) {
    let probe = Probe::new();
    let running = || unique_sync::job(1, probe.number).unique("tenant:1").unique_while(UniqueWhile::Waiting);
    let first = running().enqueue(&db.client).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let second = running().enqueue(&mut *tx).await.unwrap();
    assert_eq!(second.outcome(), EnqueueOutcome::Duplicate(first.id()));
    let worker = db.worker().build().await.unwrap().start();
    probe.until(|probe| probe.runs().len() == 1).await; // It has started without what the transaction writes.
    tx.commit().await.unwrap();
    probe.until(|probe| probe.runs().len() == 2).await;
    probe.gate.add_permits(2);
    db.until("not exists (select from pgjobq.jobs)").await;
    assert_eq!(probe.runs().len(), 2);
    worker.shutdown().await.unwrap();
}

on_one_shard!(live_duplicate_in_a_transaction_is_not_enqueued_later);
async fn live_duplicate_in_a_transaction_is_not_enqueued_later(db: TestDb) {
    let first = sync(1).enqueue(&db.client).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    assert!(!sync(1).enqueue(&mut *tx).await.unwrap().is_new());
    first.cancel(&db.client).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.unique_requests").await, 0);
    assert_eq!(jobs(&db).await, 0);
}

on_one_shard!(replacement_is_enqueued_anew_after_its_holder_has_ended);
async fn replacement_is_enqueued_anew_after_its_holder_has_ended(db: TestDb) {
    let first = sync(1).enqueue(&db.client).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let newer = unique_sync::job(5, 0).unique("tenant:1").on_duplicate(OnDuplicate::Replace);
    let id = newer.job_id();
    assert_eq!(newer.enqueue(&mut *tx).await.unwrap().outcome(), EnqueueOutcome::Replaced(first.id()));
    first.cancel(&db.client).await.unwrap();
    tx.commit().await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until("exists (select from pgjobq.finished where output = '5')").await;
    assert_eq!(unique_sync::handle(id).wait(&db.client).await.unwrap(), Outcome::Completed(5));
    worker.shutdown().await.unwrap();
}

on_one_shard!(last_replacement_counts_whoever_settles_first);
async fn last_replacement_counts_whoever_settles_first(db: TestDb) {
    let version =
        |version| unique_sync::job(version, 0).unique("tenant:1").on_duplicate(OnDuplicate::Replace);
    let first = version(1).enqueue(&db.client).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    version(2).enqueue(&mut *tx).await.unwrap();
    tx.commit().await.unwrap(); // No worker runs, so nobody settles this request.
    assert_eq!(version(3).enqueue(&db.client).await.unwrap().outcome(), EnqueueOutcome::Replaced(first.id()));
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(first.wait(&db.client).await.unwrap(), Outcome::Completed(3));
    db.until("not exists (select from pgjobq.unique_requests)").await;
    worker.shutdown().await.unwrap();
}

/// A job with the key of tenant 1, which replaces the arguments of one that waits.
fn version(version: u32) -> NewJob<u32> {
    let job = unique_sync::job(version, 0).unique("tenant:1").on_duplicate(OnDuplicate::Replace);
    job.unique_while(UniqueWhile::Waiting)
}

/// Settles the requests as a worker does: the first look may find another holder.
async fn settle(db: &TestDb) {
    for _ in 0..2 {
        db.run("select from pgjobq.settle_unique(0::smallint, null, null, 10)").await;
    }
    assert_eq!(db.number("select count(*) from pgjobq.unique_requests").await, 0);
}

on_one_shard!(earlier_replacement_leaves_a_newer_job_unchanged);
async fn earlier_replacement_leaves_a_newer_job_unchanged(db: TestDb) {
    version(1).enqueue(&db.client).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    version(2).enqueue(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    claim_all(&db).await; // Before anybody has settled this request.
    let newest = version(3).enqueue(&db.client).await.unwrap();
    assert!(newest.is_new(), "{newest:?}");
    settle(&db).await;
    assert_eq!(db.number("select sum((args ->> 'tenant')::int) from pgjobq.jobs").await, 1 + 3);
}

on_one_shard!(later_replacement_changes_the_job_of_an_earlier_one);
async fn later_replacement_changes_the_job_of_an_earlier_one(db: TestDb) {
    let first = version(1).enqueue(&db.client).await.unwrap();
    let earlier = version(2);
    let id = earlier.job_id();
    let mut tx = db.pool.begin().await.unwrap();
    earlier.enqueue(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    version(3).enqueue(&mut *tx).await.unwrap();
    first.cancel(&db.client).await.unwrap();
    settle(&db).await; // The earlier one is enqueued after all.
    tx.commit().await.unwrap();
    settle(&db).await;
    assert_eq!(db.text(&format!("select args ->> 'tenant' from pgjobq.jobs where id = '{id}'")).await, "3");
    assert_eq!(jobs(&db).await, 1);
}

on_one_shard!(old_snapshot_enqueues_no_second_waiting_job);
async fn old_snapshot_enqueues_no_second_waiting_job(db: TestDb) {
    let mut caller = db.pool.acquire().await.unwrap();
    let mut tx = caller.begin_with("begin isolation level repeatable read").await.unwrap();
    sqlx::raw_sql("select 1 from pgjobq.settings").execute(&mut *tx).await.unwrap();
    sync_waiting(1).enqueue(&db.client).await.unwrap();
    sync_waiting(1).enqueue(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    for _ in 0..2 {
        db.run("select from pgjobq.settle_unique(0::smallint, null, null, 10)").await; // It finds the holder, then settles.
    }
    assert_eq!(jobs(&db).await, 1);
    let alone = sync_waiting(2);
    let id = alone.job_id();
    let mut tx = caller.begin_with("begin isolation level serializable").await.unwrap();
    assert!(alone.enqueue(&mut *tx).await.unwrap().is_new());
    tx.commit().await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until(&format!("exists (select from pgjobq.finished where id = '{id}')")).await;
    db.until("not exists (select from pgjobq.unique_requests) and not exists (select from pgjobq.jobs)")
        .await;
    assert_eq!(db.number("select count(*) from pgjobq.finished").await, 2);
    worker.shutdown().await.unwrap();
}

on_one_shard!(old_snapshot_enqueues_no_second_live_job);
async fn old_snapshot_enqueues_no_second_live_job(db: TestDb) {
    let mut caller = db.pool.acquire().await.unwrap();
    for isolation in ["repeatable read", "serializable"] {
        let begin = sqlx::AssertSqlSafe(format!("begin isolation level {isolation}"));
        let mut tx = caller.begin_with(begin).await.unwrap();
        sqlx::raw_sql("select 1 from pgjobq.settings").execute(&mut *tx).await.unwrap();
        let first = sync(1).enqueue(&db.client).await.unwrap();
        assert!(first.is_new());
        let error = sync(1).enqueue(&mut *tx).await.unwrap_err().to_string();
        assert!(error.contains("could not serialize access"), "{error}");
        tx.rollback().await.unwrap();
        assert_eq!(jobs(&db).await, 1);
        first.cancel(&db.client).await.unwrap();
    }
}

on_one_shard!(request_waits_while_a_transaction_has_the_key);
async fn request_waits_while_a_transaction_has_the_key(db: TestDb) {
    let first = sync(1).enqueue(&db.client).await.unwrap();
    let mut connection = db.pool.acquire().await.unwrap();
    sync(1).on_duplicate(OnDuplicate::Replace).enqueue(&mut *connection).await.unwrap();
    first.cancel(&db.client).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let theirs = sync(1).enqueue(&mut *tx).await.unwrap();
    assert!(theirs.is_new());
    let settled =
        "select coalesce(cardinality(settled), 0) from pgjobq.settle_unique(0::smallint, null, null, 10)";
    assert_eq!(db.number(settled).await, 0, "nobody waits for the transaction");
    tx.commit().await.unwrap();
    assert_eq!(db.number(settled).await, 0, "it has found the new holder");
    assert_eq!(db.number(settled).await, 1);
    assert_eq!(jobs(&db).await, 1);
}
