//! A tick that comes before the job of the last one has ended.

use pgjobq::Overlap;

use crate::harness::TestDb;
use crate::jobs::{JOBS, linger};

async fn lingers(db: &TestDb, overlap: Overlap) -> pgjobq::RunningWorker {
    db.client.schedules().upsert("linger", linger::schedule("* * * * * *").overlap(overlap)).await.unwrap();
    db.worker().build().await.unwrap().start()
}

on_one_shard!(overlapping_jobs_are_allowed_by_default);
async fn overlapping_jobs_are_allowed_by_default(db: TestDb) {
    let worker = lingers(&db, Overlap::default()).await;
    db.until(&format!("(select count(*) = 3 from {JOBS} where outcome = 'live')")).await;
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
