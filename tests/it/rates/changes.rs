//! Rates that are changed while jobs run, and clocks that are set.

use super::{judge, ledger, limit, make_ledger, note};
use crate::harness::TestDb;

on_one_shard!(changed_rate_holds_from_then_on);
async fn changed_rate_holds_from_then_on(db: TestDb) {
    let probe = make_ledger(&db).await;
    limit(&db, "kind", "rates_note", "[[2, 3600000000]]").await;
    db.client.enqueue_all((0..20).map(|_| note::job(probe))).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until("(select count(*) from public.ledger) = 2").await;
    limit(&db, "kind", "rates_note", "[[7, 3600000000]]").await;
    db.until("(select count(*) from public.ledger) = 7").await;
    // The window is shorter, and what has started counts all the same.
    limit(&db, "kind", "rates_note", "[[9, 1800000000]]").await;
    db.until("(select count(*) from public.ledger) = 9").await;
    // Lowered: as much has started as two windows allow.
    limit(&db, "kind", "rates_note", "[[4, 3600000000]]").await;
    db.until("(select count(*) from pgjobq.jobs where ticket is null) = 11").await;
    db.run("delete from pgjobq.limits; select pgjobq.note_limits(); select pgjobq.announce_limited(null)")
        .await;
    db.until("(select count(*) from public.ledger) = 20").await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(clock_that_was_set_back_blocks_for_one_window);
async fn clock_that_was_set_back_blocks_for_one_window(db: TestDb) {
    let probe = make_ledger(&db).await;
    limit(&db, "kind", "rates_note", "[[3, 1000000]]").await;
    db.client.enqueue_all((0..3).map(|_| note::job(probe))).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until("not exists (select from pgjobq.jobs)").await;
    worker.shutdown().await.unwrap();
    // As if the clock had been an hour ahead.
    db.run("update pgjobq.starts set at = array(select t + 3600000000 from unnest(at) t)").await;
    db.client.enqueue_all((0..6).map(|_| note::job(probe))).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until("not exists (select from pgjobq.jobs)").await;
    worker.shutdown().await.unwrap();
    let starts = ledger(&db, "").await;
    assert_eq!(starts.len(), 9);
    judge(&starts, 3, 1_000_000);
}
