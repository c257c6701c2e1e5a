//! Scheduled jobs and retries come due at their time, and not before.

use std::time::{Duration, SystemTime};

use pgjobq::JobState;
use pgjobq::prelude::*;

use crate::harness::TestDb;
use crate::probe::end_of;

#[job(retries = 1, backoff = "1h")]
async fn fail_once(ctx: JobContext) -> Result<u32> {
    if ctx.failures() == 0 { Err("not yet".into()) } else { Ok(ctx.attempt()) }
}

#[job]
async fn at_its_time() {}

/// The seconds until the only job comes due.
const DUE_IN: &str = "select extract(epoch from run_at - clock_timestamp()) from pgjobq.jobs";

on_one_and_eight_shards!(delayed_job_runs_at_its_time_and_not_before);
async fn delayed_job_runs_at_its_time_and_not_before(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let hour = Duration::from_secs(3600);
    let delayed = at_its_time::job().delay(hour).enqueue(&db.client).await.unwrap();
    let seconds = db.number(DUE_IN).await;
    assert!((3500..=3600).contains(&seconds), "in {seconds} s");
    let dated = at_its_time::job().run_at(SystemTime::now() + hour).enqueue(&db.client).await.unwrap();
    let past = at_its_time::job().run_at(SystemTime::now() - hour).enqueue(&db.client).await.unwrap();
    let _ = end_of(&db.client, &past).await; // Other jobs run, but those two wait.
    for job in [&delayed, &dated] {
        assert_eq!(job.status(&db.client).await.unwrap().unwrap().state, JobState::Scheduled);
    }
    // Due now: the next promotion, after at most one poll interval, makes them ready.
    db.run("update pgjobq.jobs set run_at = run_at - interval '1 hour'").await;
    let _ = end_of(&db.client, &delayed).await;
    let _ = end_of(&db.client, &dated).await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(short_delay_does_not_wait_for_the_next_poll);
async fn short_delay_does_not_wait_for_the_next_poll(db: TestDb) {
    let worker = db.worker().poll_interval(Duration::from_secs(60)).build().await.unwrap().start();
    db.until("exists (select from pgjobq.workers where idle <> '{}')").await;
    let job = at_its_time::job().delay(Duration::from_millis(300)).enqueue(&db.client).await.unwrap();
    let _ = end_of(&db.client, &job).await;
    let micros =
        db.number("select extract(epoch from finished_at - created_at) * 1000000 from pgjobq.finished").await;
    assert!((300_000..45_000_000).contains(&micros), "after {micros} us");
    worker.shutdown().await.unwrap();
}

on_one_shard!(failed_job_waits_for_its_backoff_with_jitter);
async fn failed_job_waits_for_its_backoff_with_jitter(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let mut jobs = Vec::new();
    for _ in 0..20 {
        jobs.push(fail_once::enqueue(&db.client).await.unwrap());
    }
    db.until("(select count(*) from pgjobq.jobs where run_at is not null and failures = 1) = 20").await;
    let within = "select count(*) from pgjobq.jobs j join pgjobq.failures f on f.job = j.id
                  where j.run_at - f.at between interval '48 minutes' - interval '1 minute' and interval '72 minutes'";
    assert_eq!(db.number(within).await, 20);
    let spread = "select extract(epoch from max(run_at) - min(run_at)) from pgjobq.jobs";
    assert!(db.number(spread).await > 60, "the retries do not all come due at once");
    db.run("update pgjobq.jobs set run_at = clock_timestamp()").await;
    for job in jobs {
        assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(2));
    }
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(sweep_finds_a_job_that_commits_after_its_time);
async fn sweep_finds_a_job_that_commits_after_its_time(db: TestDb) {
    let worker = db.worker().poll_interval(Duration::from_secs(60)).build().await.unwrap().start();
    db.until("exists (select from pgjobq.workers where idle <> '{}')").await;
    let mut open = db.pool.begin().await.unwrap();
    let late = at_its_time::job().delay(Duration::from_millis(1)).enqueue(&mut *open).await.unwrap();
    // The promoter passes that time before the job is visible to it.
    let then = db.text("clock_timestamp()").await;
    db.until(&format!("clock_timestamp() > timestamptz '{then}' + interval '1200 ms'")).await;
    let other = at_its_time::job().delay(Duration::from_millis(1)).enqueue(&db.client).await.unwrap();
    let _ = end_of(&db.client, &other).await;
    open.commit().await.unwrap();
    let _ = end_of(&db.client, &late).await;
    let micros = db
        .number(&format!(
            "select extract(epoch from (select finished_at from pgjobq.finished where id = '{}')
                                 - (select finished_at from pgjobq.finished where id = '{}')) * 1000000",
            late.id(),
            other.id()
        ))
        .await;
    assert!(micros < 30_000_000, "after {micros} us");
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notification_distinguishes_scheduled_from_ready_jobs() {
    let db = crate::harness::TestDb::new(1).await;
    let worker = db.worker().poll_interval(Duration::from_secs(60)).build().await.unwrap().start();
    db.until("exists (select from pgjobq.workers where idle <> '{}')").await;
    let channel = db.text("select pgjobq.channel()").await;
    let mut listener = sqlx::postgres::PgListener::connect_with(&db.pool).await.unwrap();
    listener.listen(&channel).await.unwrap();
    let heard = async |listener: &mut sqlx::postgres::PgListener| loop {
        let said = listener.recv().await.unwrap().payload().to_owned();
        if let Some(queues) = said.strip_prefix("wake ") {
            return queues.split(',').any(|queue| queue == "0");
        }
    };
    let elsewhere = Client::new(db.pool.clone()); // The worker's own client wakes it without a notification.
    at_its_time::job().delay(Duration::from_secs(3600)).enqueue(&elsewhere).await.unwrap();
    assert!(heard(&mut listener).await, "scheduled");
    at_its_time::enqueue(&elsewhere).await.unwrap();
    assert!(!heard(&mut listener).await, "ready");
    worker.shutdown().await.unwrap();
}
