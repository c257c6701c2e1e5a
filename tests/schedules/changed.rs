//! Schedules that are changed: in the moment of a tick, and while no worker runs.

use std::time::Duration;

use pgjobq::Missed;

use crate::harness::TestDb;
use crate::jobs::{JOBS, note};

/// Sets a schedule of each second whose tick is due, and not fired. Returns the tick.
async fn set_due(db: &TestDb, ago: &str) -> i64 {
    db.client.schedules().upsert("second", note::schedule("* * * * * *", 1)).await.unwrap();
    db.run(&format!(
        "update pgjobq.schedules
            set is_seen = true, passed_to = date_trunc('second', clock_timestamp()) - interval '{ago}' - interval '500 ms',
                next_at = date_trunc('second', clock_timestamp()) - interval '{ago}'"
    ))
    .await;
    db.number("select pgjobq.micros(next_at) from pgjobq.schedules").await
}

/// Changes the arguments of the schedule.
async fn change_to(db: &TestDb, n: i64) {
    db.client.schedules().upsert("second", note::schedule("* * * * * *", n)).await.unwrap();
}

on_one_shard!(change_in_the_moment_of_a_tick_keeps_the_tick);
async fn change_in_the_moment_of_a_tick_keeps_the_tick(db: TestDb) {
    let due = set_due(&db, "0 s").await;
    change_to(&db, 2).await;
    let worker = db.worker().build().await.unwrap().start();
    db.until(&format!("exists (select from {JOBS} where tick > {due})")).await;
    let fired = "select count(*) from";
    assert_eq!(db.number(&format!("{fired} {JOBS} where tick = {due} and args = '{{\"n\": 2}}'")).await, 1);
    assert_eq!(db.number(&format!("{fired} {JOBS} where args = '{{\"n\": 1}}'")).await, 0);
    worker.shutdown().await.unwrap();
}

on_one_shard!(second_change_before_a_look_keeps_the_tick);
async fn second_change_before_a_look_keeps_the_tick(db: TestDb) {
    let due = set_due(&db, "0 s").await;
    for n in [2, 3, 4] {
        change_to(&db, n).await;
    }
    let worker = db.worker().build().await.unwrap().start();
    db.until(&format!("exists (select from {JOBS} where tick > {due})")).await;
    let of_the_last = format!("select count(*) from {JOBS} where tick = {due} and args = '{{\"n\": 4}}'");
    assert_eq!(db.number(&of_the_last).await, 1, "the tick was lost");
    assert_eq!(
        db.text("(select last_missed is null from pgjobq.schedules where name = 'second')").await,
        "true"
    );
    worker.shutdown().await.unwrap();
}

on_one_shard!(change_records_the_old_tick_that_it_drops);
async fn change_records_the_old_tick_that_it_drops(db: TestDb) {
    let due = set_due(&db, "2 hours").await;
    change_to(&db, 2).await;
    let missed = db.client.schedules().get("second").await.unwrap().last_missed.unwrap();
    let at = missed.at.duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(at, Duration::from_micros(due.unsigned_abs()));
    assert_eq!(missed.why, "no worker fired it within a minute, and then the schedule was changed");

    // Nothing older than a minute is left, also after more changes, and with a policy that would run it.
    for n in [3, 4] {
        let all = note::schedule("* * * * * *", n).missed(Missed::RunAll(1000));
        db.client.schedules().upsert("second", all).await.unwrap();
    }
    let kept =
        "select count(*) from pgjobq.schedules where passed_to > clock_timestamp() - interval '5 minutes'";
    assert_eq!(db.number(kept).await, 1);
}

on_one_shard!(change_of_a_paused_schedule_misses_nothing);
async fn change_of_a_paused_schedule_misses_nothing(db: TestDb) {
    set_due(&db, "2 hours").await;
    db.client.schedules().pause("second").await.unwrap();
    change_to(&db, 2).await;
    assert_eq!(db.client.schedules().get("second").await.unwrap().last_missed, None);
}
