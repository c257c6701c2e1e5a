//! Schedules that cannot be fired: they delay and hide no other, and are not silent.

use pgjobq::{NewSchedule, ScheduleState};

use crate::harness::{self, TestDb};
use crate::jobs::{JOBS, Logged, fired, note};

on_one_shard!(unreadable_schedules_hide_no_other);
async fn unreadable_schedules_hide_no_other(db: TestDb) {
    // More than a look returns, and each has been due for longer than any other.
    db.run(
        r#"insert into pgjobq.schedules (name, kind, stored, set_by, set_at, passed_to, next_at)
           select 'later' || n, 'note', '{"text": "each blue moon", "moons": 1, "timezone": "Moon/Tycho"}', 'somebody',
                  clock_timestamp(), clock_timestamp() - interval '1 hour', clock_timestamp() - interval '1 hour'
             from generate_series(1, 150) n"#,
    )
    .await;
    let schedules = db.client.schedules();
    schedules.upsert("second", note::schedule("* * * * * *", 1)).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until(&format!("(select count(*) >= 2 from {JOBS} where schedule = 'second')")).await;

    let list = schedules.list().await.unwrap();
    let unreadable: Vec<_> = list.iter().filter(|schedule| schedule.problem.is_some()).collect();
    assert_eq!((unreadable.len(), unreadable[0].next_at), (150, None));
    let line = unreadable[0].to_string();
    assert!(line.starts_with("later1: `note` at `each blue moon` (Moon/Tycho), cannot fire: "), "{line}");
    assert!(list.iter().any(|schedule| schedule.name == "second" && schedule.state == ScheduleState::Active));
    assert_eq!(fired(&db, "later1").await, 0);
    worker.shutdown().await.unwrap();
}

on_one_shard!(refused_schedule_delays_no_other);
async fn refused_schedule_delays_no_other(db: TestDb) {
    db.run(
        "create function refuse() returns trigger language plpgsql as $$ begin raise 'no' using errcode = 'P0007'; end $$;
         create trigger refuse before insert on pgjobq.ticks for each row when (new.schedule = 'refused')
             execute function refuse()",
    )
    .await;
    let schedules = db.client.schedules();
    for name in ["refused", "good"] {
        schedules.upsert(name, note::schedule("* * * * * *", 1)).await.unwrap();
    }
    let worker = db.worker().build().await.unwrap().start();
    db.until(&format!("(select count(*) >= 20 from {JOBS} where schedule = 'good')")).await;
    // A pause after each error would have grown to seconds by now.
    let late =
        "select 1000 * percentile_cont(0.25) within group (order by extract(epoch from t.fired_at - t.tick))
                  from (select * from pgjobq.ticks where schedule = 'good' order by tick desc limit 9) t";
    let late = db.number(late).await;
    eprintln!("beside a schedule that is refused: a quarter within {late} ms from tick to job");
    assert!(late < 1000, "{late} ms");
    assert_eq!(fired(&db, "refused").await, 0);
    worker.shutdown().await.unwrap();
}

on_one_shard!(schedule_that_waits_for_a_caller_delays_no_other);
async fn schedule_that_waits_for_a_caller_delays_no_other(db: TestDb) {
    let mut caller = db.pool.begin().await.unwrap();
    let held = || note::job(1).unique("held");
    held().enqueue(&mut *caller).await.unwrap();
    let schedules = db.client.schedules();
    schedules.upsert("held", NewSchedule::new("* * * * * *", held())).await.unwrap();
    schedules.upsert("good", note::schedule("* * * * * *", 2)).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until(&format!("(select count(*) >= 10 from {JOBS} where schedule = 'good')")).await;
    let late =
        "select 1000 * percentile_cont(0.25) within group (order by extract(epoch from t.fired_at - t.tick))
                  from (select * from pgjobq.ticks where schedule = 'good' order by tick desc limit 9) t";
    let late = db.number(late).await;
    assert!(late < 1500, "{late} ms");
    assert_eq!(fired(&db, "held").await, 0);
    let missed = schedules.get("held").await.unwrap().last_missed;
    assert!(missed.is_none(), "it is tried again: {missed:?}");

    // No tick is lost.
    caller.rollback().await.unwrap();
    db.until(&format!("exists (select from {JOBS} where schedule = 'held')")).await;
    let first = format!("select min(tick) from {JOBS} where schedule");
    assert!(db.number(&format!("{first} = 'held'")).await <= db.number(&format!("{first} = 'good'")).await);
    worker.shutdown().await.unwrap();
}

/// On one thread, so that its subscriber hears the workers.
#[tokio::test]
async fn unreadable_schedule_and_lasting_failure_are_logged() {
    let logged = Logged::default();
    let _listening = logged.listen();
    let heard = logged.clone();
    harness::run(1, async move |db| {
        db.run(
            r#"insert into pgjobq.schedules (name, kind, stored, set_by, set_at, next_at)
               values ('later', 'note', '{"text": "each blue moon"}', 'somebody', clock_timestamp(), clock_timestamp())"#,
        )
        .await;
        db.client.schedules().upsert("second", note::schedule("* * * * * *", 1)).await.unwrap();
        let worker = db.worker().build().await.unwrap().start();
        db.until(&format!("(select count(*) >= 3 from {JOBS})")).await;
        assert_eq!(heard.text().matches("this program cannot read a schedule").count(), 1, "{}", heard.text());

        db.run("alter function pgjobq.look_at_schedules rename to look_away").await;
        let warned = async {
            while !heard.text().contains("firing schedules fails again and again") {
                db.until("true").await;
            }
        };
        tokio::time::timeout(harness::PATIENCE, warned).await.unwrap();
        worker.shutdown().await.unwrap();
    })
    .await;
}
