//! Workers that are lost in the middle of a fire: the answer of the commit does not arrive, or the session is killed.

use std::time::{Duration, SystemTime};

use pgjobq::NewSchedule;
use pgjobq::prelude::*;
use sqlx::postgres::PgPoolOptions;

use crate::harness::TestDb;
use crate::jobs::{JOBS, fired, note};
use crate::proxy::Proxy;

on_one_shard!(lost_answer_of_a_fire_fires_no_tick_twice);
async fn lost_answer_of_a_fire_fires_no_tick_twice(db: TestDb) {
    let proxy = Proxy::to(&db.options).await;
    let client = Client::new(PgPoolOptions::new().connect_with(proxy.options()).await.unwrap());
    let builder = Worker::builder(&client).queue("default", 5).heartbeat(Duration::from_millis(200));
    let worker = builder.lease(Duration::from_secs(30)).build().await.unwrap().start();

    // Another session has inserted the row of the tick, so the fire waits for its end, however long that takes here.
    db.run("alter function pgjobq.fire_schedule set lock_timeout = '100s'").await;
    let schedules = db.client.schedules();
    let once_a_day = note::schedule("every 1d", 1).starts(SystemTime::now() + Duration::from_secs(10));
    schedules.upsert("daily", once_a_day).await.unwrap();
    let mut other = db.pool.begin().await.unwrap();
    let tick = "(stored ->> 'starts')::bigint from pgjobq.schedules where name = 'daily'";
    let insert = format!(
        "insert into pgjobq.ticks (schedule, tick) select 'daily', pgjobq.of_micros(t) from (select {tick}) s(t)"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(insert)).execute(&mut *other).await.unwrap();
    db.until(
        "exists (select from pg_stat_activity
                  where datname = current_database() and wait_event_type = 'Lock' and query like '%fire_schedule%')",
    )
    .await;
    proxy.cut();
    other.rollback().await.unwrap();
    db.until(&format!("exists (select from {JOBS} where schedule = 'daily')")).await;
    proxy.mend();

    // Another schedule shows that the worker has looked again.
    schedules.upsert("second", note::schedule("* * * * * *", 2)).await.unwrap();
    db.until(&format!("(select count(*) >= 2 from {JOBS} where schedule = 'second')")).await;
    assert_eq!(fired(&db, "daily").await, 1);
    assert_eq!(schedules.get("daily").await.unwrap().last_missed, None);
    worker.shutdown().await.unwrap();
}

on_one_shard!(killed_fire_that_waits_for_a_key_loses_no_tick);
async fn killed_fire_that_waits_for_a_key_loses_no_tick(db: TestDb) {
    let mut caller = db.pool.begin().await.unwrap();
    let held = || note::job(1).unique("held");
    held().enqueue(&mut *caller).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    let schedules = db.client.schedules();
    let once_a_day = NewSchedule::new("every 1d", held()).starts(SystemTime::now() + Duration::from_secs(10));
    schedules.upsert("daily", once_a_day).await.unwrap();
    // A fire waits for the key for a quarter of a second, again and again: kill it twice while it does.
    for _ in 0..2 {
        db.until(
            "(select count(*) > 0 from (
                 select pg_terminate_backend(pid, 30000) as is_killed from pg_stat_activity
                  where datname = current_database() and wait_event_type = 'Lock' and query like '%fire_schedule%') k
               where is_killed)",
        )
        .await;
        assert_eq!(db.number("select count(*) from pgjobq.ticks").await, 0, "the tick is still to be fired");
        let daily = schedules.get("daily").await.unwrap();
        assert_eq!((daily.last_tick, daily.last_job, daily.last_missed), (None, None, None));
    }
    caller.rollback().await.unwrap();
    db.until("exists (select from pgjobq.ticks where job is not null)").await;
    assert_eq!((fired(&db, "daily").await, schedules.get("daily").await.unwrap().last_missed), (1, None));
    worker.shutdown().await.unwrap();
}
