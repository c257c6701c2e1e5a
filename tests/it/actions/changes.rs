//! What each action does, and to which jobs.

use std::time::SystemTime;

use pgjobq::filter::{all, kind, state};
use pgjobq::prelude::*;
use pgjobq::{ActionState, JobState, LeftOut};

use super::{HOUR, act_fail, act_greet, live, tenant, wait_for_tenants};
use crate::gate::Gate;
use crate::harness::TestDb;
use crate::probe::end_of;

on_one_and_eight_shards!(cancel_ends_matching_jobs_and_no_other);
async fn cancel_ends_matching_jobs_and_no_other(db: TestDb) {
    wait_for_tenants(&db, &[1, 2], 30).await;
    let later = act_greet::job("later".into()).attribute("tenant", 1).delay(HOUR);
    let later = later.enqueue(&db.client).await.unwrap();
    let report = db.client.jobs(tenant(1)).cancel().by("ada").because("they have left").await.unwrap();
    assert_eq!(
        (report.state, report.matched, report.changed, &*report.left),
        (ActionState::Done, 31, 31, &[][..])
    );
    assert_eq!((live(&db, 1, "true").await, live(&db, 2, "true").await), (0, 30));
    assert_eq!(end_of(&db.client, &later).await, Outcome::Cancelled);
    let why = later.status(&db.client).await.unwrap().unwrap().cancelled.unwrap();
    assert_eq!((&*why.by, why.reason.as_deref()), ("ada", Some("they have left")));
    assert_eq!(db.number("select count(*) from pgjobq.cancels").await, 0);
}

on_one_shard!(cancel_asks_running_jobs_to_stop);
async fn cancel_asks_running_jobs_to_stop(db: TestDb) {
    let gate = Gate::new();
    let worker = db.worker().build().await.unwrap().start();
    let running = gate.job().enqueue(&db.client).await.unwrap();
    gate.until(|count| count.inside == 1).await;
    let report = db.client.jobs(kind("stand")).cancel().await.unwrap();
    assert_eq!((report.matched, report.changed), (1, 1));
    assert_eq!(end_of(&db.client, &running).await, Outcome::Cancelled);
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(requeue_puts_back_what_ended_badly);
async fn requeue_puts_back_what_ended_badly(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    db.client.enqueue_all((0..20).map(act_fail::job)).await.unwrap();
    let mut flow = Workflow::new("act");
    flow.add(act_fail::step(100));
    flow.enqueue(&db.client).await.unwrap();
    let done = act_greet::enqueue(&db.client, "x".into()).await.unwrap();
    assert!(matches!(end_of(&db.client, &done).await, Outcome::Completed(_)));
    db.until("(select count(*) from pgjobq.finished where outcome = 'dead') = 21").await;
    worker.shutdown().await.unwrap();

    let report = db.client.jobs(state(JobState::Dead)).requeue().await.unwrap();
    assert_eq!((report.matched, report.changed, &*report.left), (21, 20, &[(LeftOut::Step, 1)][..]));
    assert_eq!(db.number("select count(*) from pgjobq.jobs where ticket is not null").await, 20);
    let again = db.client.jobs(all()).requeue().await.unwrap();
    assert_eq!((again.matched, again.changed), (1, 0));
}

on_one_and_eight_shards!(retry_now_ends_the_wait_for_a_time);
async fn retry_now_ends_the_wait_for_a_time(db: TestDb) {
    wait_for_tenants(&db, &[1], 10).await;
    let later = |n: u32| act_greet::job(n.to_string()).attribute("tenant", 1).delay(HOUR);
    db.client.enqueue_all((0..10).map(later)).await.unwrap();
    let worker = db.worker().build().await.unwrap();
    let before = db.number("select last_value from pgjobq.ticket").await;
    let report = db.client.jobs(tenant(1)).retry_now().await.unwrap();
    assert_eq!((report.changed, &*report.left), (10, &[(LeftOut::Same, 10)][..]));
    assert_eq!(live(&db, 1, &format!("ticket > {before} and run_at is null")).await, 10);
    let worker = worker.start();
    db.until("not exists (select from pgjobq.jobs)").await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(running_jobs_are_left_as_they_are);
async fn running_jobs_are_left_as_they_are(db: TestDb) {
    let gate = Gate::new();
    let worker = pgjobq::Worker::builder(&db.client).queue("default", 3).build().await.unwrap().start();
    db.client.enqueue_all((0..5).map(|_| gate.job())).await.unwrap();
    gate.until(|count| count.inside == 3).await;
    let drawn = db.number("select last_value from pgjobq.ticket").await;
    let report = db.client.jobs(kind("stand")).set_priority(Priority::High).await.unwrap();
    assert_eq!((report.matched, report.changed, &*report.left), (5, 2, &[(LeftOut::Running, 3)][..]));
    let moved = format!("select count(*) from pgjobq.jobs where priority = 2 and ticket > {drawn}");
    assert_eq!(db.number(&moved).await, 2, "each has a new ticket");
    gate.open();
    db.until("not exists (select from pgjobq.jobs)").await;
    worker.shutdown().await.unwrap();
    assert_eq!(gate.count().attempts.len(), 5, "each ran once");
}

on_one_and_eight_shards!(moved_job_runs_in_its_new_queue);
async fn moved_job_runs_in_its_new_queue(db: TestDb) {
    db.client.queue("act_other").save().await.unwrap();
    let other = pgjobq::Worker::builder(&db.client).queue("act_other", 5).build().await.unwrap().start();
    wait_for_tenants(&db, &[1, 2], 10).await;
    let report = db.client.jobs(tenant(1)).move_to("act_other").await.unwrap();
    assert_eq!((report.matched, report.changed), (10, 10));
    db.until("(select count(*) from pgjobq.finished where outcome = 'completed') = 10").await;
    assert_eq!(live(&db, 2, "true").await, 10);
    assert_eq!(db.client.jobs(tenant(1)).move_to("act_other").await.unwrap().matched, 0);
    other.shutdown().await.unwrap();
}

on_one_shard!(run_at_spares_jobs_that_would_expire);
async fn run_at_spares_jobs_that_would_expire(db: TestDb) {
    wait_for_tenants(&db, &[1], 3).await;
    act_greet::job("soon".into()).attribute("tenant", 1).expires_in(HOUR).enqueue(&db.client).await.unwrap();
    let tomorrow = SystemTime::now() + 24 * HOUR;
    let report = db.client.jobs(tenant(1)).run_at(tomorrow).await.unwrap();
    assert_eq!((report.changed, &*report.left), (3, &[(LeftOut::TooLate, 1)][..]));
    assert_eq!(live(&db, 1, "run_at > now() + interval '23 hours' and ticket is null").await, 3);
    let report = db.client.jobs(tenant(1)).run_at(SystemTime::UNIX_EPOCH).await.unwrap();
    assert_eq!((report.changed, &*report.left), (3, &[(LeftOut::Same, 1)][..]));
    assert_eq!(live(&db, 1, "ticket is not null").await, 4);
}

on_one_shard!(blocked_job_stays_blocked);
async fn blocked_job_stays_blocked(db: TestDb) {
    let parent = act_greet::job("parent".into()).delay(HOUR).enqueue(&db.client).await.unwrap();
    let child = act_greet::job("child".into()).attribute("tenant", 1).delay(HOUR).after(&parent);
    let child = child.enqueue(&db.client).await.unwrap();
    let theirs = db.client.jobs(tenant(1));
    assert_eq!(theirs.retry_now().await.unwrap().changed, 1);
    assert_eq!(theirs.set_priority(Priority::Critical).await.unwrap().changed, 1);
    assert_eq!(
        live(
            &db,
            1,
            "waits_for = 1 and ticket is null and run_at is null and not meta ? 'delay' and priority = 3"
        )
        .await,
        1
    );
    let worker = db.worker().build().await.unwrap().start();
    db.client.jobs(kind("act_greet")).retry_now().await.unwrap();
    assert_eq!(end_of(&db.client, &child).await, Outcome::Completed("Hello, child!".to_owned()));
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(delete_removes_only_matching_ends);
async fn delete_removes_only_matching_ends(db: TestDb) {
    wait_for_tenants(&db, &[1, 2], 10).await;
    let worker = db.worker().build().await.unwrap().start();
    db.until("(select count(*) from pgjobq.finished) = 20").await;
    worker.shutdown().await.unwrap();
    wait_for_tenants(&db, &[1], 5).await;
    // An id that has ended twice, only once as the filter says.
    db.run("insert into pgjobq.finished select f.* from pgjobq.finished f where (f.attributes->>'tenant')::int = 2 limit 1;
            update pgjobq.finished set attributes = '{\"tenant\": 1}', finished_at = finished_at - interval '1 second'
             where ctid in (select max(ctid) from pgjobq.finished group by id having count(*) > 1)").await;
    let report = db.client.jobs(tenant(1)).delete().await.unwrap();
    assert_eq!((report.changed, live(&db, 1, "true").await), (11, 5));
    assert_eq!(db.number("select count(*) from pgjobq.finished").await, 10);
    assert_eq!(db.client.jobs(all().not()).delete().await.unwrap().matched, 0);
}
