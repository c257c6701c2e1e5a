//! Jobs that change the one which has their key.

use super::*;

async fn args(db: &TestDb, handle: &JobHandle<u32>) -> String {
    db.text(&format!("select args ->> 'tenant' from pgjobq.jobs where id = '{}'", handle.id())).await
}

/// A job with the key of tenant 1, and other arguments.
fn other(tenant: u32) -> NewJob<u32> {
    unique_sync::job(tenant, 0).unique("tenant:1")
}

on_one_and_eight_shards!(waiting_job_gets_the_newest_arguments_and_time);
async fn waiting_job_gets_the_newest_arguments_and_time(db: TestDb) {
    let first = sync(1).attribute("tenant", 1).enqueue(&db.client).await.unwrap();
    let replaced = EnqueueOutcome::Replaced(first.id());
    let newer = other(2).attribute("tenant", 2).on_duplicate(OnDuplicate::Replace).delay(HOUR);
    assert_eq!(newer.enqueue(&db.client).await.unwrap().outcome(), replaced);
    assert_eq!(args(&db, &first).await, "2");
    assert_eq!(db.number("select count(*) from pgjobq.jobs where ticket is null and run_at > now() + interval '50 minutes' and attributes = '{\"tenant\": 2}'").await, 1);

    let args_only = other(3).on_duplicate(OnDuplicate::ReplaceArgs);
    assert_eq!(args_only.enqueue(&db.client).await.unwrap().outcome(), replaced);
    assert_eq!(args(&db, &first).await, "3");
    assert_eq!(
        db.number("select count(*) from pgjobq.jobs where run_at is not null").await,
        1,
        "it keeps its time"
    );

    let time_only = other(4).on_duplicate(OnDuplicate::ReplaceRunAt);
    assert_eq!(time_only.enqueue(&db.client).await.unwrap().outcome(), replaced);
    assert_eq!(args(&db, &first).await, "3");
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(first.wait(&db.client).await.unwrap(), Outcome::Completed(3), "it is due at once");
    assert_eq!(db.number("select count(*) from pgjobq.unique_requests").await, 0);
    worker.shutdown().await.unwrap();
}

on_one_shard!(job_in_line_keeps_its_place_when_replaced);
async fn job_in_line_keeps_its_place_when_replaced(db: TestDb) {
    sync(1).enqueue(&db.client).await.unwrap();
    let ticket = "select ticket from pgjobq.jobs";
    let before = db.number(ticket).await;
    other(2).on_duplicate(OnDuplicate::Replace).enqueue(&db.client).await.unwrap();
    assert_eq!(db.number(ticket).await, before);
}

on_one_and_eight_shards!(running_job_is_never_changed);
async fn running_job_is_never_changed(db: TestDb) {
    let first = sync(1).enqueue(&db.client).await.unwrap();
    claim_all(&db).await;
    let live = other(2).on_duplicate(OnDuplicate::Replace).enqueue(&db.client).await.unwrap();
    assert_eq!(live.outcome(), EnqueueOutcome::Duplicate(first.id()));
    let for_a_time = other(2).unique_while(UniqueWhile::For(HOUR));
    assert!(for_a_time.enqueue(&db.client).await.unwrap().is_new(), "the key is taken by time alone");
    let waiting = other(3).unique_while(UniqueWhile::Waiting).on_duplicate(OnDuplicate::Replace);
    let second = waiting.enqueue(&db.client).await.unwrap();
    assert!(matches!(second.outcome(), EnqueueOutcome::Replaced(_)), "{second:?}");
    assert_eq!(args(&db, &first).await, "1");
    assert_eq!(args(&db, &second).await, "3");
}

on_one_shard!(retrying_job_does_not_start_before_its_backoff);
async fn retrying_job_does_not_start_before_its_backoff(db: TestDb) {
    let first = sync(1).enqueue(&db.client).await.unwrap();
    db.run(
        "update pgjobq.jobs set failures = 1, attempt = 1, ticket = null, run_at = now() + interval '1 day'",
    )
    .await;
    let newer = other(2).on_duplicate(OnDuplicate::Replace).delay(HOUR).enqueue(&db.client).await.unwrap();
    assert_eq!(newer.outcome(), EnqueueOutcome::Replaced(first.id()));
    assert_eq!(args(&db, &first).await, "2");
    assert_eq!(
        db.number("select count(*) from pgjobq.jobs where run_at > now() + interval '23 hours'").await,
        1
    );
}

on_one_and_eight_shards!(bulk_replaces_with_the_last_of_each_key);
async fn bulk_replaces_with_the_last_of_each_key(db: TestDb) {
    let jobs = (0..300).map(|n| {
        unique_sync::job(n, 0).unique(format!("key {}", n % 100)).on_duplicate(OnDuplicate::Replace)
    });
    let handles = pgjobq::enqueue_each(&db.client, jobs).await.unwrap();
    let replaced = |handle: &&JobHandle<u32>| matches!(handle.outcome(), EnqueueOutcome::Replaced(_));
    assert_eq!(handles.iter().filter(replaced).count(), 200);
    let sum = db.number("select sum((args ->> 'tenant')::int) from pgjobq.jobs").await;
    assert_eq!((super::jobs(&db).await, sum), (100, (200..300).sum()), "the last hundred");
}

on_one_shard!(worker_carries_out_what_a_dead_client_has_asked);
async fn worker_carries_out_what_a_dead_client_has_asked(db: TestDb) {
    let first = sync(1).delay(HOUR).enqueue(&db.client).await.unwrap();
    let mut connection = db.pool.acquire().await.unwrap(); // Nobody but a worker acts after this commit.
    let newer = other(2).on_duplicate(OnDuplicate::Replace).enqueue(&mut *connection).await.unwrap();
    assert_eq!(newer.outcome(), EnqueueOutcome::Replaced(first.id()));
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(first.wait(&db.client).await.unwrap(), Outcome::Completed(2));
    worker.shutdown().await.unwrap();
}
