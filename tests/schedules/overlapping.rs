//! A tick that comes before the job of the last one has ended.

use std::time::Duration;

use pgjobq::{InvalidSchedule, Missed, NewSchedule, Overlap, ScheduleError, UniqueWhile};

use crate::harness::TestDb;
use crate::jobs::{JOBS, linger, neglect};

async fn lingers(db: &TestDb, overlap: Overlap) -> pgjobq::RunningWorker {
    db.client.schedules().upsert("linger", linger::schedule("* * * * * *").overlap(overlap)).await.unwrap();
    db.worker().build().await.unwrap().start()
}

on_one_shard!(overlapping_jobs_are_allowed_by_default);
async fn overlapping_jobs_are_allowed_by_default(db: TestDb) {
    let worker = lingers(&db, Overlap::default()).await;
    db.until(&format!("(select count(*) >= 3 from {JOBS} where outcome = 'live')")).await;
    db.client.schedules().remove("linger").await.unwrap();
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(overlapping_tick_is_skipped_with_the_reason);
async fn overlapping_tick_is_skipped_with_the_reason(db: TestDb) {
    let worker = lingers(&db, Overlap::Skip).await;
    db.until("exists (select from pgjobq.ticks where job is null)").await;
    let schedule = db.client.schedules().get("linger").await.unwrap();
    let (job, missed) = (schedule.last_job.unwrap(), schedule.last_missed.unwrap());
    assert_eq!(missed.why, format!("the job {job} of the tick before has not ended"));
    assert_eq!(db.number(&format!("select count(*) from {JOBS}")).await, 1);
    // When it has ended, the next tick has a job again.
    db.client.job(job).cancel().await.unwrap();
    db.until(&format!("(select count(*) = 2 from {JOBS})")).await;
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(overlapping_job_is_cancelled);
async fn overlapping_job_is_cancelled(db: TestDb) {
    let worker = lingers(&db, Overlap::CancelRunning).await;
    db.until(&format!("(select count(*) >= 2 from {JOBS} where outcome = 'cancelled')")).await;
    let reason = "select count(*) from pgjobq.finished where cancelled ->> 'reason' = 'the next tick of the schedule `linger` came'";
    assert!(db.number(reason).await >= 1);
    worker.shutdown().await.unwrap();
}

/// Sets a schedule whose last three ticks were missed, and lets a worker run all of them. No further tick comes.
async fn catches_up(db: &TestDb, overlap: Overlap) -> pgjobq::RunningWorker {
    let hour = Duration::from_secs(3600);
    let starts = std::time::SystemTime::now() - hour * 100 - hour / 2;
    let hourly = linger::schedule("every 1h").starts(starts).missed(Missed::RunAll(10)).overlap(overlap);
    db.client.schedules().upsert("linger", hourly).await.unwrap();
    neglect(db, "linger", "3 hours").await;
    db.worker().build().await.unwrap().start()
}

on_one_shard!(missed_ticks_overlap_each_other);
async fn missed_ticks_overlap_each_other(db: TestDb) {
    let worker = catches_up(&db, Overlap::Skip).await;
    db.until(&format!("exists (select from {JOBS})")).await;
    assert_eq!(
        db.number("select count(*) from pgjobq.ticks where job is null").await,
        2,
        "the first one has the job"
    );
    assert_eq!(db.number(&format!("select count(*) from {JOBS}")).await, 1);
    worker.shutdown().await.unwrap();
}

on_one_shard!(missed_tick_cancels_the_one_before);
async fn missed_tick_cancels_the_one_before(db: TestDb) {
    let worker = catches_up(&db, Overlap::CancelRunning).await;
    db.until(&format!("(select count(*) = 2 from {JOBS} where outcome = 'cancelled')")).await;
    let last = format!("(select outcome = 'live' from {JOBS} order by tick desc limit 1)");
    assert_eq!(db.text(&last).await, "true");
    assert_eq!(db.number(&format!("select count(*) from {JOBS}")).await, 3);
    worker.shutdown().await.unwrap();
}

on_one_shard!(cancelled_job_must_not_hold_the_key_of_the_next);
async fn cancelled_job_must_not_hold_the_key_of_the_next(db: TestDb) {
    let schedules = db.client.schedules();
    let unique = |key: &str, lasts| {
        let job = linger::job().unique(key).unique_while(lasts);
        NewSchedule::new("* * * * * *", job).overlap(Overlap::CancelRunning)
    };
    let refused = schedules.upsert("linger", unique("a", UniqueWhile::Live)).await.unwrap_err();
    assert!(matches!(refused, ScheduleError::Invalid(InvalidSchedule::HoldsItsKey)), "{refused}");

    // A job that runs holds no key that is for those that wait.
    schedules.upsert("linger", unique("a", UniqueWhile::Waiting)).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until(&format!("(select count(*) >= 2 from {JOBS} where outcome = 'cancelled')")).await;
    schedules.remove("linger").await.unwrap();

    // A tick that is a duplicate cancels nothing.
    schedules.upsert("held", unique("b", UniqueWhile::For(Duration::from_secs(3600)))).await.unwrap();
    db.until("(select count(*) >= 3 from pgjobq.ticks where schedule = 'held' and job is null)").await;
    let held = schedules.get("held").await.unwrap();
    assert!(held.last_missed.unwrap().why.ends_with("has its unique key"));
    let requests = format!("select count(*) from pgjobq.cancels where job = '{}'", held.last_job.unwrap());
    assert_eq!(db.number(&requests).await, 0);
    assert_eq!(
        db.number(&format!("select count(*) from {JOBS} where schedule = 'held' and outcome = 'live'")).await,
        1
    );
    schedules.remove("held").await.unwrap();
    worker.shutdown().await.unwrap();
}
