//! When admission looks at a rate again, and how people see what is left of it.

use super::{limit, make_ledger, note};
use crate::harness::TestDb;

/// Admits as a worker does, and returns if somebody has to look sooner than anybody was to.
const ADMIT: &str = "next_look is not null from pgjobq.admit(0::smallint, '{rates_note}', '{\"\"}', '{}')";
const OVERDUE: &str = "update pgjobq.starts set next_at = clock_timestamp() - interval '1 second'";

/// Makes two jobs, of which the second waits for an hour.
async fn one_waits(db: &TestDb) {
    let probe = make_ledger(db).await;
    limit(db, "kind", "rates_note", "[[1, 3600000000]]").await;
    db.client.enqueue_all((0..2).map(|_| note::job(probe))).await.unwrap();
    db.until("exists (select from pgjobq.starts where next_at is not null)").await;
}

/// Claims at most two jobs as a worker that dies then.
async fn claim(db: &TestDb, returning: &str) -> String {
    db.run("select pgjobq.register_worker(0::smallint, 42, 'ghost')").await;
    let claim = format!(
        "(select {returning}
            from pgjobq.claim(0::smallint, (select id from pgjobq.queues where name = 'default'), 42, 7, true,
                              '{{rates_note}}', 2, '{{0,0,0,0}}', null, null))"
    );
    db.text(&claim).await
}

on_one_shard!(look_that_nobody_took_is_noted_again);
async fn look_that_nobody_took_is_noted_again(db: TestDb) {
    one_waits(&db).await;
    assert_eq!(db.text(&format!("(select {ADMIT})")).await, "false", "that time is still to come");
    db.run(OVERDUE).await;
    assert_eq!(db.text(&format!("(select {ADMIT})")).await, "true");
}

on_one_shard!(look_at_a_locked_history_is_not_forgotten);
async fn look_at_a_locked_history_is_not_forgotten(db: TestDb) {
    one_waits(&db).await;
    db.run(OVERDUE).await;
    let mut claim = db.pool.begin().await.unwrap();
    sqlx::query("select from pgjobq.starts for update").execute(&mut *claim).await.unwrap();
    let take = "(select concat_ws(' ', kinds, more) from pgjobq.take_awaited(0::smallint, 5))";
    assert_eq!(db.text(take).await, "t");
    claim.rollback().await.unwrap();
    assert_eq!(db.text(take).await, "{rates_note} f");
    assert_eq!(db.text(take).await, "f", "it is taken");
}

on_one_shard!(claim_reports_that_a_rate_held_jobs_back);
async fn claim_reports_that_a_rate_held_jobs_back(db: TestDb) {
    let probe = make_ledger(&db).await;
    limit(&db, "kind", "rates_note", "[[2, 3600000000]]").await;
    db.client.enqueue_all((0..2).map(|_| note::job(probe))).await.unwrap();
    db.until("(select count(*) from pgjobq.jobs where ticket is not null) = 2").await;
    limit(&db, "kind", "rates_note", "[[1, 3600000000]]").await;
    let returning = "format('%s claimed, %s', count(id), max(limits) filter (where opened))";
    assert_eq!(claim(&db, returning).await, "1 claimed, 4");
}

on_one_shard!(overview_shows_what_is_left_of_each_rate);
async fn overview_shows_what_is_left_of_each_rate(db: TestDb) {
    let probe = make_ledger(&db).await;
    limit(&db, "kind", "rates_note", "[[5, 3600000000], [20, 86400000000]]").await;
    let overview = "(select concat_ws('; ', rates, rates_left, waiting) from pgjobq.limits_overview
                      where name = 'rates_note')";
    assert_eq!(db.text(overview).await, "5 per hour, 20 per day; {5,20}; 0");
    db.client.enqueue_all((0..7).map(|_| note::job(probe))).await.unwrap();
    db.until("(select count(*) from pgjobq.jobs where ticket is not null) = 5").await;
    assert_eq!(claim(&db, "count(id)").await, "2");
    assert_eq!(db.text(overview).await, "5 per hour, 20 per day; {3,18}; 2");
}
