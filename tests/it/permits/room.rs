//! The waiting room: who comes in, and what gives a permit back.

use std::time::Duration;

use pgjobq::JobState;
use pgjobq::prelude::*;

use super::{count, hold, hold_any, in_state, limit, most_running};
use crate::harness::TestDb;
use crate::probe::{Probe, end_of};

on_one_shard!(no_key_runs_above_its_limit);
async fn no_key_runs_above_its_limit(db: TestDb) {
    let keys = || (0..20).map(|key| format!("above/{key}"));
    let jobs = (0..400).map(|n| count::job(format!("above/{}", n % 20)));
    let workers = [db.worker().build().await.unwrap().start(), db.worker().build().await.unwrap().start()];
    db.client.enqueue_all(jobs).await.unwrap();
    db.until("not exists (select from pgjobq.jobs)").await;
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
    assert!(most_running(keys()).iter().all(|most| (1..=2).contains(most)), "{:?}", most_running(keys()));
    assert_eq!(db.number("select count(*) from pgjobq.finished where outcome = 'completed'").await, 400);
}

on_one_shard!(kind_runs_as_many_jobs_as_its_limit_allows);
async fn kind_runs_as_many_jobs_as_its_limit_allows(db: TestDb) {
    let probe = Probe::new();
    let workers = [db.worker().build().await.unwrap().start(), db.worker().build().await.unwrap().start()];
    // Their keys make no difference to a limit of the kind.
    let jobs = (0..9).map(|n| hold_any::job(probe.number).key(format!("kind/{n}")));
    db.client.enqueue_all(jobs).await.unwrap();
    probe.until(|probe| probe.running() == 3).await;
    assert_eq!(in_state(&db, "limited").await, 6);
    probe.gate.add_permits(9);
    db.until("not exists (select from pgjobq.jobs)").await;
    assert_eq!(probe.most(), 3);
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
}

on_one_shard!(job_under_two_limits_needs_both_permits);
async fn job_under_two_limits_needs_both_permits(db: TestDb) {
    limit(&db, "permits_hold", 2).await;
    db.client.queue("default").concurrency(3).save().await.unwrap();
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    let jobs = (0..12).map(|n| hold::job(probe.number, format!("both/{}", n % 3)));
    db.client.enqueue_all(jobs).await.unwrap();
    probe.until(|probe| probe.running() == 3).await;
    assert_eq!(db.number("select count(*) from pgjobq.jobs where permit is not null").await, 6);
    assert_eq!(db.number("select count(*) from pgjobq.jobs where queue_permit is not null").await, 3);
    probe.gate.add_permits(12);
    db.until("not exists (select from pgjobq.jobs)").await;
    assert_eq!(probe.most(), 3);
    worker.shutdown().await.unwrap();
}

on_one_shard!(job_of_an_open_transaction_is_admitted_after_its_commit);
async fn job_of_an_open_transaction_is_admitted_after_its_commit(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let mut tx = db.pool.begin().await.unwrap();
    let job = count::job("open".to_owned()).enqueue(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(()));
    worker.shutdown().await.unwrap();
}

on_one_shard!(scheduled_job_needs_a_permit_when_it_is_due);
async fn scheduled_job_needs_a_permit_when_it_is_due(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    let later = hold::job(probe.number, "due".to_owned()).delay(Duration::from_secs(3600));
    let later = later.enqueue(&db.client).await.unwrap();
    let first = hold::job(probe.number, "due".to_owned()).enqueue(&db.client).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    db.run("update pgjobq.jobs set run_at = clock_timestamp() where run_at is not null").await;
    db.until("exists (select from pgjobq.job_states where state = 'limited')").await;
    assert_eq!(later.status(&db.client).await.unwrap().unwrap().state, JobState::Limited);
    probe.gate.add_permits(2);
    assert_eq!(end_of(&db.client, &first).await, Outcome::Completed(()));
    assert_eq!(end_of(&db.client, &later).await, Outcome::Completed(()));
    assert_eq!(probe.most(), 1);
    worker.shutdown().await.unwrap();
}

on_one_shard!(cancelled_job_gives_its_permit_back);
async fn cancelled_job_gives_its_permit_back(db: TestDb) {
    let probe = Probe::new();
    let first = hold::job(probe.number, "cancel".to_owned()).enqueue(&db.client).await.unwrap();
    let second = hold::job(probe.number, "cancel".to_owned()).enqueue(&db.client).await.unwrap();
    assert_eq!(in_state(&db, "limited").await, 1);
    first.cancel(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    probe.gate.add_permits(1);
    assert_eq!(end_of(&db.client, &second).await, Outcome::Completed(()));
    worker.shutdown().await.unwrap();
}

on_one_shard!(crashed_job_keeps_its_permit_until_it_ends);
async fn crashed_job_keeps_its_permit_until_it_ends(db: TestDb) {
    let probe = Probe::new();
    let jobs = (0..2).map(|_| hold::job(probe.number, "crash".to_owned()));
    db.client.enqueue_all(jobs).await.unwrap();
    db.run(
        "do $$ begin
            perform pgjobq.register_worker(0::smallint, 42, 'ghost');
            perform pgjobq.claim(0::smallint, 1, 42, 7, true, '{permits_hold}', 9, '{0,0,0,0}', null, null);
            delete from pgjobq.workers where id = 42;
            perform pgjobq.reap(0::smallint, '{}');
         end $$",
    )
    .await;
    assert_eq!(db.number("select count(*) from pgjobq.jobs where crashes = 1 and permit = 1").await, 1);
    assert_eq!(in_state(&db, "limited").await, 1);
    probe.gate.add_permits(2);
    let worker = db.worker().build().await.unwrap().start();
    db.until("not exists (select from pgjobq.jobs)").await;
    assert_eq!(probe.most(), 1);
    worker.shutdown().await.unwrap();
}

on_one_shard!(sweep_admits_jobs_of_which_no_notification_came);
async fn sweep_admits_jobs_of_which_no_notification_came(db: TestDb) {
    let keys = ["lost/a", "lost/b"];
    let jobs = keys.map(|key| count::job(key.to_owned()));
    db.client.enqueue_all(jobs).await.unwrap();
    // As if the process had died between the commit of the enqueue and the admission.
    db.run("update pgjobq.jobs set ticket = null, permit = null").await;
    let worker = db.worker().build().await.unwrap().start();
    db.until("not exists (select from pgjobq.jobs)").await;
    worker.shutdown().await.unwrap();
}

/// Fails in its first attempts.
#[job(kind = "permits_fail", queue = "default", key = key, concurrency = 1, retries = 3, backoff = "1h")]
async fn fail(ctx: JobContext, probe: u64, key: String, failures: u32) -> Result<()> {
    let _ = key;
    let _run = Probe::of(probe).begin(&ctx);
    if ctx.failures() < failures { Err("not yet".into()) } else { Ok(()) }
}

/// The same, and lets others pass until it is retried.
#[job(kind = "permits_pass", queue = "default", key = key, concurrency = 1, on_retry = "let_pass", retries = 3, backoff = "1h")]
async fn fail_and_let_pass(ctx: JobContext, probe: u64, key: String, failures: u32) -> Result<()> {
    let _ = key;
    let _run = Probe::of(probe).begin(&ctx);
    if ctx.failures() < failures { Err("not yet".into()) } else { Ok(()) }
}

on_one_shard!(retried_job_holds_its_place_or_lets_others_pass);
async fn retried_job_holds_its_place_or_lets_others_pass(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    for lets_pass in [false, true] {
        let probe = Probe::new();
        let job = |failures| match lets_pass {
            false => fail::job(probe.number, "a".to_owned(), failures),
            true => fail_and_let_pass::job(probe.number, "a".to_owned(), failures),
        };
        let first = job(1).enqueue(&db.client).await.unwrap();
        let second = job(0).enqueue(&db.client).await.unwrap();
        db.until("exists (select from pgjobq.jobs where failures = 1 and run_at is not null)").await;
        if lets_pass {
            assert_eq!(end_of(&db.client, &second).await, Outcome::Completed(()));
        } else {
            assert_eq!(second.status(&db.client).await.unwrap().unwrap().state, JobState::Limited);
        }
        db.run("update pgjobq.jobs set run_at = clock_timestamp() where run_at is not null").await;
        assert_eq!(end_of(&db.client, &first).await, Outcome::Completed(()));
        assert_eq!(end_of(&db.client, &second).await, Outcome::Completed(()));
        let order: Vec<_> = probe.runs().iter().map(|(id, _)| *id).collect();
        let (first, second) = (first.id(), second.id());
        assert_eq!(order, if lets_pass { [first, second, first] } else { [first, first, second] });
    }
    worker.shutdown().await.unwrap();
}

on_one_shard!(limit_that_cannot_be_admitted_delays_no_other);
async fn limit_that_cannot_be_admitted_delays_no_other(db: TestDb) {
    db.run(
        "create function public.refuse() returns trigger language plpgsql as
            $$ begin if new.key = 'refused/b' then raise 'refused by a test'; end if; return new; end $$;
         create trigger refuse before update on pgjobq.jobs for each row execute function public.refuse()",
    )
    .await;
    let jobs = ["a", "b", "c"].map(|key| count::job(format!("refused/{key}")));
    db.client.enqueue_all(jobs).await.unwrap();
    assert_eq!(in_state(&db, "limited").await, 3);
    let worker = db.worker().build().await.unwrap().start();
    db.until("(select array_agg(key) from pgjobq.jobs) = '{refused/b}'").await;
    db.run("drop trigger refuse on pgjobq.jobs").await;
    db.until("not exists (select from pgjobq.jobs)").await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(producer_holds_no_limit_until_its_commit);
async fn producer_holds_no_limit_until_its_commit(db: TestDb) {
    db.client.enqueue(count::job("producer".to_owned())).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let admit = "select pgjobq.admit_jobs(0::smallint, array(select id from pgjobq.jobs))";
    let error = sqlx::raw_sql(admit).execute(&mut *tx).await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "25001");
    tx.rollback().await.unwrap();
    db.run(admit).await;
}

on_one_shard!(limit_that_is_locked_delays_no_other);
async fn limit_that_is_locked_delays_no_other(db: TestDb) {
    let keys = ["locked/a", "locked/b", "locked/c"];
    let mut tx = db.pool.begin().await.unwrap();
    sqlx::raw_sql("select pgjobq.lock_limits(0::smallint, 0, '{permits_count locked/b}')")
        .execute(&mut *tx)
        .await
        .unwrap();
    db.client.enqueue_all(keys.map(|key| count::job(key.to_owned()))).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until("(select array_agg(key) from pgjobq.jobs) = '{locked/b}'").await;
    tx.rollback().await.unwrap();
    db.until("not exists (select from pgjobq.jobs)").await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(look_at_a_full_key_takes_no_lock);
async fn look_at_a_full_key_takes_no_lock(db: TestDb) {
    db.client.enqueue_all((0..2).map(|_| hold::job(0, "unlocked".to_owned()))).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let lock = "select pgjobq.lock_limits(0::smallint, 0, '{permits_hold unlocked}')";
    sqlx::raw_sql(lock).execute(&mut *tx).await.unwrap();
    // It would fail with a lock timeout.
    db.run("select pgjobq.admit_jobs(0::smallint, array(select id from pgjobq.jobs))").await;
    assert_eq!(in_state(&db, "limited").await, 1);
    tx.rollback().await.unwrap();
}
