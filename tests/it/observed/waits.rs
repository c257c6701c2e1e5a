//! The wait of an attempt begins when its job has come due, and not when it was enqueued.

use std::time::{Duration, SystemTime};

use pgjobq::filter::all;
use pgjobq::observe::Event;

use super::events::{observed_end, observed_wait};
use super::{Seen, observed, worker};
use crate::harness::TestDb;
use crate::probe::{Probe, end_of};

const HOUR: Duration = Duration::from_secs(3600);
const MAKE_OLD: &str = "update pgjobq.jobs set created_at = clock_timestamp() - interval '1 day'";

/// Runs what is there with another observed client. Returns the wait of the last attempt.
async fn wait_of_the_next_attempt(db: &TestDb) -> Duration {
    let (client, seen) = observed(db);
    let worker = worker(&client).build().await.unwrap().start();
    seen.until(|event| matches!(event, Event::Ended(_))).await;
    worker.shutdown().await.unwrap();
    client.close().await;
    last_wait(&seen)
}

fn last_wait(seen: &Seen) -> Duration {
    seen.ended().last().unwrap().wait.unwrap()
}

on_one_shard!(promoted_jobs_wait_from_when_they_are_due);
async fn promoted_jobs_wait_from_when_they_are_due(db: TestDb) {
    let (client, seen) = observed(&db);
    let scheduled =
        observed_end::job(String::new()).delay(Duration::from_secs(3600)).enqueue(&client).await.unwrap();
    // It was enqueued a day ago, and came due an hour ago.
    db.run(
        "update pgjobq.jobs set created_at = clock_timestamp() - interval '1 day',
                                run_at = clock_timestamp() - interval '1 hour'",
    )
    .await;
    let worker = worker(&client).build().await.unwrap().start();
    seen.until(|event| matches!(event, Event::Ended(ended) if ended.job.id == scheduled.id())).await;
    worker.shutdown().await.unwrap();
    client.close().await;
    let promoted = |event: &Event| matches!(event, Event::Promoted(promoted) if promoted.jobs == 1);
    assert_eq!(seen.count(promoted), 1);
    let wait = seen.ended()[0].wait.unwrap();
    let (least, most) = (Duration::from_secs(3600), Duration::from_secs(7200));
    assert!(least <= wait && wait < most, "{wait:?}");
}

on_one_shard!(released_job_waits_from_its_release);
async fn released_job_waits_from_its_release(db: TestDb) {
    let first = db.worker().grace(Duration::from_millis(50)).build().await.unwrap().start();
    let probe = Probe::new();
    let job = observed_wait::enqueue(&db.client, probe.number).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    first.shutdown().await.unwrap();
    db.run(MAKE_OLD).await;
    probe.gate.add_permits(1);
    let wait = wait_of_the_next_attempt(&db).await;
    let _ = end_of(&db.client, &job).await;
    assert!(wait < HOUR, "{wait:?}");
}

on_one_shard!(job_that_is_made_due_waits_from_then);
async fn job_that_is_made_due_waits_from_then(db: TestDb) {
    observed_end::job(String::new()).delay(HOUR).enqueue(&db.client).await.unwrap();
    db.run(MAKE_OLD).await;
    assert_eq!(db.client.jobs(all()).run_at(SystemTime::UNIX_EPOCH).await.unwrap().changed, 1);
    let wait = wait_of_the_next_attempt(&db).await;
    assert!(wait < HOUR, "{wait:?}");
}

on_one_shard!(job_due_at_once_waits_from_its_enqueue);
async fn job_due_at_once_waits_from_its_enqueue(db: TestDb) {
    observed_end::enqueue(&db.client, String::new()).await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.jobs where due_at is not null").await, 0);
    db.run(MAKE_OLD).await;
    let wait = wait_of_the_next_attempt(&db).await;
    assert!(wait > 23 * HOUR, "{wait:?}");
}
