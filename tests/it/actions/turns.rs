//! Batches: paced, in turn with others, and after the death of whoever asked for them.

use std::time::Duration;

use pgjobq::filter::{all, kind};
use pgjobq::{ActionState, LeftOut, Priority, RunningWorker, Worker};

use super::{HOUR, act_greet, live, tenant, wait_for_tenants};
use crate::harness::TestDb;

on_one_and_eight_shards!(jobs_enqueued_later_are_not_touched);
async fn jobs_enqueued_later_are_not_touched(db: TestDb) {
    wait_for_tenants(&db, &[1], 20).await;
    let started = db.client.jobs(tenant(1)).cancel().start().await.unwrap();
    wait_for_tenants(&db, &[1], 30).await;
    let report = started.wait().await.unwrap();
    assert_eq!((report.matched, report.changed, live(&db, 1, "true").await), (20, 20, 30));
}

/// Starts a worker that serves another queue: it runs none of the jobs, and does the actions.
async fn other_worker(db: &TestDb) -> RunningWorker {
    db.client.queue("act_other").save().await.unwrap();
    let worker = Worker::builder(&db.client).queue("act_other", 1).heartbeat(Duration::from_millis(200));
    worker.lease(Duration::from_secs(30)).build().await.unwrap().start()
}

on_one_shard!(rate_spreads_the_changes_over_time);
async fn rate_spreads_the_changes_over_time(db: TestDb) {
    wait_for_tenants(&db, &[1], 30).await;
    let report = db.client.jobs(tenant(1)).cancel().rate("10 per second").await.unwrap();
    assert_eq!((report.changed, report.rate.as_deref()), (30, Some("10 per second")));
    let took = "select extract(epoch from ended_at - created_at) * 1000 from pgjobq.actions";
    // Ten at once, and ten after each of the next two seconds.
    assert!(db.number(took).await >= 1990, "{}", db.number(took).await);
}

on_one_and_eight_shards!(worker_goes_on_when_the_client_is_gone);
async fn worker_goes_on_when_the_client_is_gone(db: TestDb) {
    wait_for_tenants(&db, &[1], 600).await;
    let gone = db.client.clone();
    let waits = tokio::spawn(async move { gone.jobs(tenant(1)).cancel().rate("100 per second").await });
    db.until("(select changed from pgjobq.actions) > 0").await;
    waits.abort();
    let _ = waits.await;
    assert_eq!(db.number("select count(*) from pgjobq.actions where ended_at is null").await, 1);
    let worker = other_worker(&db).await;
    db.until("(select outcome from pgjobq.actions) = 'done'").await;
    let counts = "select format('%s %s %s', matched, changed, left_out) from pgjobq.actions";
    assert_eq!(db.text(&format!("({counts})")).await, "600 600 {}");
    assert_eq!(live(&db, 1, "true").await, 0);
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(many_hands_change_each_job_once);
async fn many_hands_change_each_job_once(db: TestDb) {
    let later = |n: u32| act_greet::job(n.to_string()).delay(HOUR);
    db.client.enqueue_all((0..3000).map(later)).await.unwrap();
    let workers = [other_worker(&db).await, other_worker(&db).await];
    let started = db.client.jobs(kind("act_greet")).retry_now().start().await.unwrap();
    let reports = tokio::join!(started.wait(), started.wait());
    let (report, other) = (reports.0.unwrap(), reports.1.unwrap());
    assert_eq!((report.matched, report.changed, &report), (3000, 3000, &other));
    assert_eq!(db.number("select count(distinct ticket) from pgjobq.jobs").await, 3000);
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
}

on_one_shard!(stopped_action_changes_nothing_more);
async fn stopped_action_changes_nothing_more(db: TestDb) {
    wait_for_tenants(&db, &[1], 50).await;
    let started = db.client.jobs(tenant(1)).cancel().rate("1 per hour").start().await.unwrap();
    let wait = tokio::spawn({
        let (client, id) = (db.client.clone(), started.id());
        async move { client.action(id).wait().await }
    });
    db.until("(select changed from pgjobq.actions) = 1").await;
    assert_eq!(started.progress().await.unwrap().state, ActionState::Running);
    assert!(started.stop().await.unwrap());
    assert!(!started.stop().await.unwrap());
    let report = wait.await.unwrap().unwrap();
    assert_eq!((report.state, report.changed, live(&db, 1, "true").await), (ActionState::Stopped, 1, 49));
    assert!(report.to_string().contains("(cancel) was stopped: 1 of 1 job changed"), "{report}");
}

on_one_shard!(each_action_is_recorded_with_who_and_why);
async fn each_action_is_recorded_with_who_and_why(db: TestDb) {
    wait_for_tenants(&db, &[1], 2).await;
    let raised =
        db.client.jobs(tenant(1)).set_priority(Priority::High).by("ada").because("urgent").await.unwrap();
    let again = db.client.jobs(tenant(1)).set_priority(Priority::High).await.unwrap();
    assert_eq!(db.client.actions(10).await.unwrap(), [again.clone(), raised.clone()]);
    let role = db.text("session_user").await;
    assert_eq!((&*raised.action, &*raised.filter, &*raised.asked_by), ("set_priority", "tenant = 1", "ada"));
    assert_eq!((raised.reason.as_deref(), &raised.role, &again.asked_by), (Some("urgent"), &role, &role));
    assert_eq!((again.changed, &*again.left), (0, &[(LeftOut::Same, 2)][..]));
    assert!(raised.ended_at >= Some(raised.created_at));
    // The next action forgets those that ended long ago.
    db.run("update pgjobq.actions set ended_at = now() - interval '91 days' where asked_by = 'ada'").await;
    db.client.jobs(all()).cancel().await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.actions where asked_by = 'ada'").await, 0);
}
