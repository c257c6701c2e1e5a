//! Jobs that wait until no more come.

use super::*;

const QUIET: Duration = Duration::from_millis(300);

fn event(number: u32) -> NewJob<u32> {
    unique_sync::job(number, 0)
        .unique("debounced")
        .unique_while(UniqueWhile::Waiting)
        .on_duplicate(OnDuplicate::Debounce(QUIET))
}

on_one_shard!(first_event_waits_for_the_quiet_time);
async fn first_event_waits_for_the_quiet_time(db: TestDb) {
    let first = event(1).enqueue(&db.client).await.unwrap();
    assert_eq!(
        db.number("select count(*) from pgjobq.jobs where run_at is not null and ticket is null").await,
        1
    );
    let run_at = "select extract(epoch from run_at) * 1000000 from pgjobq.jobs";
    let before = db.number(run_at).await;
    let second = event(2).enqueue(&db.client).await.unwrap();
    assert_eq!(second.outcome(), EnqueueOutcome::Replaced(first.id()));
    assert!(db.number(run_at).await > before);
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(first.wait(&db.client).await.unwrap(), Outcome::Completed(2), "it has the last arguments");
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(last_event_runs_beside_workers_under_load);
async fn last_event_runs_beside_workers_under_load(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let other = db.worker().build().await.unwrap().start();
    let producers = (0..4).map(|producer| {
        let client = db.client.clone();
        tokio::spawn(async move {
            for n in 0..50 {
                event(producer * 50 + n).enqueue(&client).await.unwrap();
                if n % 10 == 0 {
                    tokio::time::sleep(QUIET / 4).await; // So that some events come while the job runs.
                }
            }
        })
    });
    for producer in Vec::from_iter(producers) {
        producer.await.unwrap();
    }
    let last = event(1000).enqueue(&db.client).await.unwrap();
    assert_eq!(last.wait(&db.client).await.unwrap(), Outcome::Completed(1000), "{last:?}");
    db.until("not exists (select from pgjobq.jobs) and not exists (select from pgjobq.unique_requests)")
        .await;
    let ran = db.number("select count(*) from pgjobq.finished").await;
    assert!((1..201).contains(&ran), "{ran} of 201 events ran");
    worker.shutdown().await.unwrap();
    other.shutdown().await.unwrap();
}
