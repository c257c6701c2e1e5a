//! Retries and crashes under a rate, and the end of a history.

use pgjobq::Cause;

use super::{COUNTED, fail, ledger, limit, make_ledger, note};
use crate::harness::TestDb;

on_one_shard!(each_retry_counts_as_a_start);
async fn each_retry_counts_as_a_start(db: TestDb) {
    limit(&db, "kind", "rates_fail", "[[3, 3600000000]]").await;
    let job = fail::enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until("exists (select from pgjobq.jobs where failures = 3 and ticket is null and run_at is null)")
        .await;
    assert_eq!(db.number(COUNTED).await, 3);
    let explanation = db.client.explain(job.id()).await.unwrap();
    let sentence = explanation.to_string();
    assert!(matches!(explanation.reasons[0].cause, Cause::RateUsedUp { .. }), "{sentence}");
    assert!(
        sentence.contains("Its rate of 3 per hour is used up (kind `rates_fail`); the next start"),
        "{sentence}"
    );
    worker.shutdown().await.unwrap();
}

on_one_shard!(starts_of_a_dead_worker_stay_counted);
async fn starts_of_a_dead_worker_stay_counted(db: TestDb) {
    let probe = make_ledger(&db).await;
    limit(&db, "kind", "rates_note", "[[3, 3600000000]]").await;
    db.client.enqueue_all((0..4).map(|_| note::job(probe))).await.unwrap();
    db.run(
        "select pgjobq.admit(0::smallint, '{rates_note}', '{\"\"}', '{}');
         select pgjobq.register_worker(0::smallint, 42, 'ghost');
         select pgjobq.claim(0::smallint, queue_id, 42, 7, true, '{rates_note}', 2, '{0,0,0,0}', null, null)
           from pgjobq.lanes where queue_id = (select id from pgjobq.queues where name = 'default');
         delete from pgjobq.workers where id = 42;
         select pgjobq.reap(0::smallint, '{}')",
    )
    .await;
    assert_eq!(db.number(COUNTED).await, 2);
    assert_eq!(db.number("select count(*) from pgjobq.jobs where crashes = 1").await, 2);
    let worker = db.worker().build().await.unwrap().start();
    // One more may start; the three others wait, crashed or not.
    db.until("(select count(*) from pgjobq.jobs where ticket is null) = 3").await;
    db.until("(select count(*) from pgjobq.jobs) = 3").await;
    assert_eq!((db.number(COUNTED).await, ledger(&db, "").await.len()), (3, 1));
    worker.shutdown().await.unwrap();
}

on_one_shard!(rate_lets_crashed_jobs_start_when_it_has_room);
async fn rate_lets_crashed_jobs_start_when_it_has_room(db: TestDb) {
    let probe = make_ledger(&db).await;
    limit(&db, "kind", "rates_note", "[[2, 400000]]").await;
    db.client.enqueue_all((0..6).map(|_| note::job(probe))).await.unwrap();
    db.run("update pgjobq.jobs set crashes = 1").await;
    let worker = db.worker().build().await.unwrap().start();
    db.until("not exists (select from pgjobq.jobs)").await;
    worker.shutdown().await.unwrap();
    let times = ledger(&db, "").await;
    assert_eq!(times.len(), 6);
    super::judge(&times, 2, 400_000);
}

on_one_shard!(history_ends_when_its_last_start_counts_no_more);
async fn history_ends_when_its_last_start_counts_no_more(db: TestDb) {
    let probe = make_ledger(&db).await;
    limit(&db, "kind", "rates_note", "[[5, 1000]]").await;
    limit(&db, "kind", "rates_fail", "[[5, 3600000000]]").await;
    let worker = db.worker().build().await.unwrap().start();
    db.client.enqueue_all((0..3).map(|_| note::job(probe))).await.unwrap();
    fail::enqueue(&db.client).await.unwrap();
    db.until("(select count(*) from public.ledger) = 3 and (select count(*) from pgjobq.jobs) = 1").await;
    db.until("(select count(*) from pgjobq.starts) = 2").await;
    worker.shutdown().await.unwrap();
    db.run("select pgjobq.tidy_starts(0::smallint, '{}', 100)").await;
    assert_eq!(db.text("select string_agg(name, ' ') from pgjobq.starts").await, "rates_fail");
}
