//! Limits that are set, changed and removed while jobs wait.

use pgjobq::filter::all;
use sqlx::Executor;

use super::{free, hold, in_state, limit};
use crate::harness::TestDb;
use crate::probe::Probe;

on_one_shard!(raised_limit_lets_more_jobs_in_at_once);
async fn raised_limit_lets_more_jobs_in_at_once(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    db.client.enqueue_all((0..6).map(|_| hold::job(probe.number, "raised".to_owned()))).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    limit(&db, "permits_hold", 4).await;
    probe.until(|probe| probe.running() == 4).await;
    // A lowered limit drains by itself.
    limit(&db, "permits_hold", 2).await;
    probe.gate.add_permits(1);
    db.until("(select count(*) from pgjobq.jobs) = 5").await;
    probe.gate.add_permits(1);
    db.until("(select count(*) from pgjobq.jobs) = 4").await;
    assert_eq!(in_state(&db, "limited").await, 2);
    assert_eq!(probe.runs().len(), 4);
    probe.gate.add_permits(4);
    db.until("not exists (select from pgjobq.jobs)").await;
    assert_eq!(probe.most(), 4);
    worker.shutdown().await.unwrap();
}

on_one_shard!(removed_limit_lets_all_waiting_jobs_in);
async fn removed_limit_lets_all_waiting_jobs_in(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    db.client.enqueue_all((0..6).map(|_| hold::job(probe.number, "removed".to_owned()))).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    db.run("delete from pgjobq.limits; select pgjobq.note_limits(), pgjobq.announce_limited(null)").await;
    probe.until(|probe| probe.running() == 6).await;
    // And a new job is under no limit.
    db.client.enqueue(hold::job(probe.number, "removed".to_owned())).await.unwrap();
    probe.until(|probe| probe.running() == 7).await;
    probe.gate.add_permits(7);
    db.until("not exists (select from pgjobq.jobs)").await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(jobs_without_limits_write_no_column_of_them);
async fn jobs_without_limits_write_no_column_of_them(db: TestDb) {
    db.client.enqueue_all((0..60).map(|_| free::job().key("none"))).await.unwrap();
    db.client.enqueue(free::job().key("none")).await.unwrap();
    let columns = "num_nonnulls(arrival, permit, queue_permit, weight, limits, unique_slot, unique_key)";
    assert_eq!(db.number(&format!("select count(*) from pgjobq.jobs where {columns} = 0")).await, 61);
    assert_eq!(in_state(&db, "ready").await, 61);
}

on_one_shard!(two_sessions_that_change_limits_lose_none);
async fn two_sessions_that_change_limits_lose_none(db: TestDb) {
    let change = |name: &str| {
        sqlx::AssertSqlSafe(format!(
            "insert into pgjobq.limits (scope, name, concurrency) values ('kind', '{name}', 1);
             select pgjobq.note_limits()"
        ))
    };
    let mut first = db.pool.begin().await.unwrap();
    first.execute(sqlx::raw_sql(change("first"))).await.unwrap();
    let pool = db.pool.clone();
    let change = change("second");
    let second = tokio::spawn(async move { pool.execute(sqlx::raw_sql(change)).await });
    db.until(
        "exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
                                                and query like '%second%')",
    )
    .await;
    first.commit().await.unwrap();
    second.await.unwrap().unwrap();
    let noted = "select count(*) from pgjobq.settings where limited ?& '{kind first,kind second}'";
    assert_eq!(db.number(noted).await, 1);
}

on_one_shard!(start_of_a_program_repairs_what_is_noted);
async fn start_of_a_program_repairs_what_is_noted(db: TestDb) {
    db.run("update pgjobq.settings set limited = null").await;
    let _ = db.worker().build().await.unwrap();
    assert_eq!(db.number("select (limited->>'kind permits_hold')::int & 1 from pgjobq.settings").await, 1);
}

on_one_shard!(moved_jobs_stay_under_the_limit_of_their_kind);
async fn moved_jobs_stay_under_the_limit_of_their_kind(db: TestDb) {
    db.client.queue("elsewhere").save().await.unwrap();
    db.client.enqueue_all((0..5).map(|_| hold::job(0, "moved".to_owned()))).await.unwrap();
    let limits = "select min(limits) * 1000 + max(limits) from pgjobq.jobs where ticket is null";
    let before = db.number(limits).await;
    assert_eq!(db.client.jobs(all()).move_to("elsewhere").await.unwrap().changed, 5);
    assert_eq!(db.number(limits).await, before);
    assert_eq!(in_state(&db, "limited").await, 4);
}

on_one_shard!(deleted_queue_keeps_no_limit);
async fn deleted_queue_keeps_no_limit(db: TestDb) {
    db.client.queue("passing").save().await.unwrap();
    db.client.queue("passing").change_limits().concurrency(2).await.unwrap();
    assert_eq!(db.number("select (limited->'queue passing')::int from pgjobq.settings").await, 2);
    db.client.queue("passing").delete().await.unwrap();
    db.client.queue("passing").save().await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.settings where limited ? 'queue passing'").await, 0);
    assert_eq!(db.number("select count(*) from pgjobq.limits where name = 'passing'").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requeued_job_on_another_shard_is_under_no_limit() {
    crate::harness::run(8, |db| async move {
        // Enqueued before the code had a limit.
        db.run("delete from pgjobq.limits; select pgjobq.note_limits()").await;
        db.client.enqueue_all((0..30).map(|_| free::job())).await.unwrap();
        db.run("update pgjobq.jobs set kind = 'permits_hold_any'").await;
        db.client.jobs(all()).cancel().await.unwrap();
        let _ = db.worker().build().await.unwrap();
        assert_eq!(db.client.jobs(all()).requeue().await.unwrap().changed, 30);
        let is_there = "shard = pgjobq.place_of('permits_hold_any', null) % 8";
        let wrong = format!("select count(*) from pgjobq.jobs where (limits is not null) <> ({is_there})");
        assert_eq!(db.number(&wrong).await, 0);
        assert!(db.number("select count(*) from pgjobq.jobs where limits is null").await > 0);
    })
    .await;
}
