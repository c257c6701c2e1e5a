//! Schedules that fire when the test says so.

use pgjobq::testing::{FireError, TestQueue, assert_enqueued};
use pgjobq::{NewSchedule, Overlap, ScheduleSource};

use crate::jobs::{Ended, HOUR, log, nightly, note};

#[pgjobq::test]
async fn each_call_fires_the_next_tick(pg: TestQueue) -> Ended {
    let log = log(&pg);
    assert!(pg.drain().await?.is_empty(), "no drain fires it, whatever the time is");
    let first = pg.fire_schedule(nightly::KIND).await?;
    assert_eq!(pg.drain().await?.of(nightly::KIND).completed(), 1);
    let second = pg.fire_schedule(nightly::KIND).await?;
    assert_eq!(pg.drain().await?.of(nightly::KIND).completed(), 1);
    assert_eq!(log.take(), [format!("{first:?}"), format!("{second:?}")], "the job knows its tick");
    let between = second.duration_since(first).unwrap();
    assert!(between >= 23 * HOUR && between <= 25 * HOUR, "a day, also in spring and autumn: {between:?}");
    Ok(())
}

#[pgjobq::test]
async fn schedules_in_the_code_exist_before_any_job_runs(pg: TestQueue) {
    let schedules = pg.client().schedules();
    let nightly_schedule = schedules.get(nightly::KIND).await.unwrap();
    assert_eq!((&*nightly_schedule.kind, &nightly_schedule.source), (nightly::KIND, &ScheduleSource::Code));
    assert!(nightly_schedule.next_at.is_some(), "{nightly_schedule}");
    // The code under test pauses it, and a worker that starts does not undo that.
    schedules.pause(nightly::KIND).await.unwrap();
    assert!(matches!(pg.fire_schedule(nightly::KIND).await, Err(FireError::NeverFires(_))));
    schedules.resume(nightly::KIND).await.unwrap();
    pg.fire_schedule(nightly::KIND).await.unwrap();
    assert_enqueued!(pg, nightly, count = 1);
}

#[pgjobq::test]
async fn tick_obeys_its_schedule(pg: TestQueue) {
    let schedules = pg.client().schedules();
    let skips = note::schedule("every 1h", "a".to_owned()).overlap(Overlap::Skip);
    schedules.upsert("skips", skips).await.unwrap();
    pg.fire_schedule("skips").await.unwrap();
    pg.fire_schedule("skips").await.unwrap();
    assert_enqueued!(pg, note, count = 1);
    let missed = schedules.get("skips").await.unwrap().last_missed.unwrap();
    assert!(missed.why.contains("has not ended"), "{}", missed.why);
}

#[pgjobq::test]
async fn next_drain_runs_the_job_of_a_jittered_tick(pg: TestQueue) -> Ended {
    let log = log(&pg);
    let schedules = pg.client().schedules();
    // A minute to start, after a tick that is up to a day away, and a jitter of a day.
    let job = note::job("a".to_owned()).expires_in(HOUR / 60);
    let jittered = NewSchedule::new("0 12 * * *", job).jitter(24 * HOUR);
    schedules.upsert("jittered", jittered).await.unwrap();
    for _ in 0..2 {
        pg.fire_schedule("jittered").await.unwrap();
        assert_enqueued!(pg, note, count = 1);
        assert_eq!(pg.drain().await?.completed(), 1);
    }
    assert_eq!(log.take(), ["a", "a"]);
    Ok(())
}

#[pgjobq::test]
async fn schedule_that_never_fires_is_reported(pg: TestQueue) {
    let unknown = pg.fire_schedule("weekly").await.unwrap_err();
    assert!(matches!(unknown, FireError::Unknown(_)), "{unknown}");
    assert!(unknown.to_string().starts_with("there is no schedule `weekly`: "), "{unknown}");
    pg.client().schedules().upsert("paused", note::schedule("every 1h", "a".to_owned())).await.unwrap();
    pg.client().schedules().pause("paused").await.unwrap();
    let paused = pg.fire_schedule("paused").await.unwrap_err();
    assert!(matches!(paused, FireError::NeverFires(_)), "{paused}");
    pg.client().schedules().resume("paused").await.unwrap();
    pg.fire_schedule("paused").await.unwrap();
}
