//! Jobs that choose their outcome, and jobs that expire.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{EndedJob, JobState};

use crate::harness::TestDb;
use crate::probe::{Probe, end_of};

const HOUR: Duration = Duration::from_secs(3600);

/// The first attempt ends as the argument requests; the next one completes.
#[job(retries = 1)]
async fn end_as_argued(ctx: JobContext, how: String) -> Result<u32> {
    if ctx.attempt() > 1 {
        return Ok(ctx.attempt());
    }
    Err(match how.as_str() {
        "retry" => JobError::retry_in(HOUR).because("busy"),
        "snooze" => JobError::snooze(HOUR),
        "cancel" => JobError::cancel().because("the user has left"),
        _ => anyhow::anyhow!("disk full").context("writing the report").into(),
    })
}

#[job]
async fn note_down(ctx: JobContext, probe: u64) {
    Probe::of(probe).begin(&ctx);
}

#[job]
async fn recover(ctx: JobContext, probe: u64) -> Result<()> {
    let probe = Probe::of(probe);
    probe.begin(&ctx);
    probe.pass().await;
    if ctx.attempt() == 1 { Err("no".into()) } else { Ok(()) }
}

on_one_shard!(job_chooses_its_delay_or_snoozes);
async fn job_chooses_its_delay_or_snoozes(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    for (how, failures) in [("retry", 1), ("snooze", 0)] {
        let job = end_as_argued::enqueue(&db.client, how.to_owned()).await.unwrap();
        let put_off =
            "exists (select from pgjobq.jobs where run_at > now() + interval '59 minutes' and attempt = 1)";
        db.until(put_off).await;
        let status = job.status(&db.client).await.unwrap().unwrap();
        assert_eq!(
            (status.state, status.attempts, status.failures),
            (JobState::Scheduled, 1, failures),
            "{how}"
        );
        assert_eq!(db.number("select count(*) from pgjobq.failures").await, i64::from(failures));
        db.run("update pgjobq.jobs set run_at = now(); select pg_notify(pgjobq.channel(), 'anything')").await;
        assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(2), "{how}");
    }
    worker.shutdown().await.unwrap();
}

on_one_shard!(job_cancels_itself_with_a_reason);
async fn job_cancels_itself_with_a_reason(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let job = end_as_argued::enqueue(&db.client, "cancel".to_owned()).await.unwrap();
    assert_eq!(end_of(&db.client, &job).await, Outcome::Cancelled);
    let why = job.status(&db.client).await.unwrap().unwrap().cancelled.unwrap();
    assert_eq!((&*why.by, why.reason.as_deref()), ("the job itself", Some("the user has left")));
    worker.shutdown().await.unwrap();
}

on_one_shard!(on_dead_gets_the_error_with_its_causes);
async fn on_dead_gets_the_error_with_its_causes(db: TestDb) {
    let (send, mut alerts) = tokio::sync::mpsc::unbounded_channel::<EndedJob>();
    let worker = db.worker().on_dead(move |job| {
        let send = send.clone();
        async move { send.send(job).unwrap() }
    });
    let worker = worker.build().await.unwrap().start();
    let job = end_as_argued::job("fail".to_owned()).retries(0).enqueue(&db.client).await.unwrap();
    let Outcome::Dead(failure) = end_of(&db.client, &job).await else { panic!("the job is not dead") };
    assert_eq!(failure.message(), "writing the report: disk full");
    let dead = alerts.recv().await.unwrap();
    assert_eq!(
        (dead.id, &*dead.kind, &*dead.queue, dead.attempts),
        (job.id(), "end_as_argued", "default", 1)
    );
    assert_eq!(dead.errors, failure.errors);
    assert!(dead.errors[0].at.is_some_and(|at| at <= dead.finished_at && at >= dead.created_at));
    worker.shutdown().await.unwrap();
    assert!(alerts.recv().await.is_none(), "the alert is sent once");
}

on_one_shard!(job_not_started_in_time_never_runs);
async fn job_not_started_in_time_never_runs(db: TestDb) {
    let probe = Probe::new();
    let in_time = note_down::job(probe.number).expires_in(HOUR).enqueue(&db.client).await.unwrap();
    let late = note_down::job(probe.number).expires_in(HOUR).enqueue(&db.client).await.unwrap();
    let scheduled =
        note_down::job(probe.number).delay(HOUR).expires_in(2 * HOUR).enqueue(&db.client).await.unwrap();
    db.run(&format!("update pgjobq.jobs set expires_at = now() where id <> '{}'", in_time.id())).await;
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &late).await, Outcome::Expired);
    assert_eq!(end_of(&db.client, &scheduled).await, Outcome::Expired);
    assert_eq!(end_of(&db.client, &in_time).await, Outcome::Completed(()));
    worker.shutdown().await.unwrap();
    assert_eq!(probe.runs(), [(in_time.id(), 1)]);
}

on_one_shard!(started_job_never_expires);
async fn started_job_never_expires(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    let job = recover::job(probe.number).expires_in(HOUR).enqueue(&db.client).await.unwrap();
    probe.until(|probe| probe.runs().len() == 1).await;
    db.run("update pgjobq.jobs set expires_at = now() - interval '1 second'").await;
    // Another worker's sweep skips the job, because it runs.
    db.run("do $$ begin perform pgjobq.expire(shard, '-infinity', gen_random_uuid(), 10) from pgjobq.lanes; end $$").await;
    probe.gate.add_permits(2);
    db.until("exists (select from pgjobq.jobs where attempt = 1 and expires_at is null)").await;
    db.run("update pgjobq.jobs set run_at = now(); select pg_notify(pgjobq.channel(), 'anything')").await;
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(()));
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(thousands_that_expire_in_one_moment_all_end);
async fn thousands_that_expire_in_one_moment_all_end(db: TestDb) {
    let probe = Probe::new();
    db.client.enqueue_all((0..2500).map(|_| note_down::job(probe.number).expires_in(HOUR))).await.unwrap();
    db.run("update pgjobq.jobs set expires_at = now()").await;
    let worker = db.worker().build().await.unwrap().start();
    db.until("(select count(*) from pgjobq.finished where outcome = 'expired') = 2500").await;
    worker.shutdown().await.unwrap();
    assert_eq!(probe.runs(), []);
}
