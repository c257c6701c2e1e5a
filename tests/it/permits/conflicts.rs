//! Conflicts: jobs that find no permit, if their kind lets them not wait.

use pgjobq::prelude::*;
use pgjobq::{EnqueueOutcome, JobState, OnConflict};
use sqlx::{AssertSqlSafe, Row};

use super::hold;
use crate::harness::TestDb;
use crate::probe::{Probe, end_of};

#[job(kind = "permits_drop", queue = "default", key = key, concurrency = 1, on_conflict = "drop")]
async fn drop_others(ctx: JobContext, probe: u64, key: String) {
    let _ = key;
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
}

#[job(kind = "permits_newest", queue = "default", key = key, concurrency = 1, on_conflict = "cancel_waiting")]
async fn newest_waits(ctx: JobContext, probe: u64, key: String) {
    let _ = key;
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
}

#[job(kind = "permits_takes_over", queue = "default", key = key, concurrency = 1, on_conflict = "cancel_running")]
async fn newest_runs(ctx: JobContext, probe: u64, key: String) {
    let _ = key;
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    tokio::select! {
        () = probe.pass() => {}
        _ = ctx.stop_requested() => {}
    }
}

on_one_shard!(job_of_a_full_key_is_dropped);
async fn job_of_a_full_key_is_dropped(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    let key = || "a".to_owned();
    let first = drop_others::job(probe.number, key()).enqueue(&db.client).await.unwrap();
    let second = drop_others::job(probe.number, key()).enqueue(&db.client).await.unwrap();
    let other = drop_others::job(probe.number, "b".to_owned()).enqueue(&db.client).await.unwrap();
    assert_eq!(
        [&first, &second, &other].map(|job| job.outcome()),
        [EnqueueOutcome::New, EnqueueOutcome::Dropped, EnqueueOutcome::New,]
    );
    assert_eq!(second.status(&db.client).await.unwrap().unwrap().state, JobState::Cancelled);
    probe.gate.add_permits(2);
    assert_eq!(end_of(&db.client, &first).await, Outcome::Completed(()));
    assert_eq!(end_of(&db.client, &other).await, Outcome::Completed(()));
    worker.shutdown().await.unwrap();
    assert_eq!(probe.runs().len(), 2);
}

on_one_shard!(job_that_another_admission_dropped_is_reported);
async fn job_that_another_admission_dropped_is_reported(db: TestDb) {
    let job = || drop_others::job(0, "a".to_owned());
    let holder = job().enqueue(&db.client).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let second = job().enqueue(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    db.run("select pgjobq.admit(0::smallint, '{permits_drop}', '{a}', '{}')").await;
    let admit = format!(
        "select a.dropped::text, a.ended::text from pgjobq.admit_jobs(0::smallint, '{{{}, {}}}') a",
        holder.id(),
        second.id()
    );
    // One simple query, as the client sends it.
    let row = sqlx::raw_sql(AssertSqlSafe(admit)).fetch_one(&db.pool).await.unwrap();
    assert_eq!(row.get::<&str, _>(0), format!("{{{}}}", second.id()));
    assert_eq!(row.get::<Option<&str>, _>(1), None, "the other admission has reported its end");
}

on_one_shard!(newest_waiting_job_replaces_older_ones);
async fn newest_waiting_job_replaces_older_ones(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    let mut jobs = Vec::new();
    for _ in 0..4 {
        jobs.push(newest_waits::job(probe.number, "a".to_owned()).enqueue(&db.client).await.unwrap());
    }
    for older in &jobs[1..3] {
        assert_eq!(older.status(&db.client).await.unwrap().unwrap().state, JobState::Cancelled);
    }
    probe.gate.add_permits(2);
    assert_eq!(end_of(&db.client, &jobs[0]).await, Outcome::Completed(()));
    assert_eq!(end_of(&db.client, &jobs[3]).await, Outcome::Completed(()));
    worker.shutdown().await.unwrap();
}

on_one_shard!(newest_job_stops_the_running_one);
async fn newest_job_stops_the_running_one(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    let first = newest_runs::job(probe.number, "a".to_owned()).enqueue(&db.client).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    let second = newest_runs::job(probe.number, "a".to_owned()).enqueue(&db.client).await.unwrap();
    let _ = end_of(&db.client, &first).await; // Not by the gate, which is closed.
    probe.gate.add_permits(1);
    assert_eq!(end_of(&db.client, &second).await, Outcome::Completed(()));
    assert_eq!(probe.most(), 1);
    worker.shutdown().await.unwrap();
}

on_one_shard!(job_says_itself_what_becomes_of_it);
async fn job_says_itself_what_becomes_of_it(db: TestDb) {
    let probe = Probe::new();
    let job = || hold::job(probe.number, "itself".to_owned());
    let first = job().enqueue(&db.client).await.unwrap();
    let waits = job().enqueue(&db.client).await.unwrap();
    let dropped = job().on_conflict(OnConflict::Drop).enqueue(&db.client).await.unwrap();
    assert_eq!(dropped.outcome(), EnqueueOutcome::Dropped);
    assert_eq!(waits.status(&db.client).await.unwrap().unwrap().state, JobState::Limited);
    let newest = job().on_conflict(OnConflict::CancelWaiting).enqueue(&db.client).await.unwrap();
    assert_eq!(waits.status(&db.client).await.unwrap().unwrap().state, JobState::Cancelled);
    probe.gate.add_permits(2);
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &first).await, Outcome::Completed(()));
    assert_eq!(end_of(&db.client, &newest).await, Outcome::Completed(()));
    worker.shutdown().await.unwrap();
}

#[job(kind = "permits_many_drop", queue = "default", concurrency = 700, on_conflict = "drop")]
async fn many_drop() {}

on_one_shard!(no_job_is_dropped_while_permits_are_free);
async fn no_job_is_dropped_while_permits_are_free(db: TestDb) {
    let all = db.client.enqueue_all((0..900).map(|_| many_drop::job())).await.unwrap();
    assert_eq!((all.new, all.duplicates, all.dropped), (700, 0, 200));
    assert_eq!(db.number("select count(*) from pgjobq.jobs where permit > 0").await, 700);
    assert_eq!(db.number("select count(*) from pgjobq.finished").await, 200);
}

on_one_shard!(sweep_ends_jobs_that_should_not_wait);
async fn sweep_ends_jobs_that_should_not_wait(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    let first = drop_others::job(probe.number, "swept".to_owned()).enqueue(&db.client).await.unwrap();
    let running = newest_runs::job(probe.number, "swept".to_owned()).enqueue(&db.client).await.unwrap();
    probe.until(|probe| probe.running() == 2).await;
    // Processes that enqueue, and die before the admission.
    db.run(
        "select * from pgjobq.enqueue_many('{permits_drop,permits_takes_over}', '{default,default}', '{1,1}',
             '{0,0}', '{3,3}', array[pgjobq.new_id(), pgjobq.new_id()], '{1,2}',
             (select array[args::text, args::text] from pgjobq.jobs limit 1), null, null, '{swept,swept}',
             null, null, null, false, null)",
    )
    .await;
    db.run("select pgjobq.announce_limited(null)").await;
    let dropped =
        "(select count(*) from pgjobq.finished where kind = 'permits_drop' and outcome = 'cancelled') = 1";
    db.until(dropped).await;
    let _ = end_of(&db.client, &running).await; // Not by the gate, which is closed.
    probe.gate.add_permits(2);
    assert_eq!(end_of(&db.client, &first).await, Outcome::Completed(()));
    worker.shutdown().await.unwrap();
}
