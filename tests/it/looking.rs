//! What pages about jobs show: one job in full, workers, kinds, dead jobs, workflows, the throughput.

use std::time::{Duration, Instant};

use pgjobq::prelude::*;
use pgjobq::{FailureReason, with_statement_timeout};

use crate::harness::TestDb;
use crate::probe::end_of;

#[job(kind = "looked_at", queue = "looked", retries = 1, redact = [secret], max_crashes = 2)]
async fn look(number: serde_json::Value, secret: String) -> Result<serde_json::Value> {
    let _ = secret;
    Ok(number)
}

#[job(queue = "looked", retries = 0)]
async fn stumble(message: String) -> Result<()> {
    Err(message.into())
}

#[job(queue = "looked")]
async fn one() -> Result<u8> {
    Ok(1)
}

on_one_and_eight_shards!(job_is_read_in_full);
async fn job_is_read_in_full(db: TestDb) {
    let hour = Duration::from_secs(3600);
    let job = look::job(serde_json::json!(7), "x".to_owned()).delay(hour).expires_in(2 * hour);
    let job =
        job.key("k").attribute("tenant", 42).priority(Priority::High).enqueue(&db.client).await.unwrap();
    let args = r#"{"number": 9223372036854775808, "secret": "x"}"#;
    db.run(&format!("update pgjobq.jobs set args = '{args}'")).await;
    let worker = db.worker().queue("looked", 1).name("eye").build().await.unwrap().start(); // Records what is redacted.
    let details = db.client.job(job.id()).details().await.unwrap().unwrap();
    assert_eq!(details.args, r#"{"number": 9223372036854775808, "secret": "[redacted]"}"#);
    assert_eq!((details.priority, details.key.as_deref()), (Priority::High, Some("k")));
    assert_eq!((details.retries, details.max_crashes, details.attributes.len()), (1, 2, 1));
    assert!(details.expires_at.is_some() && details.status.run_at.is_some() && details.output.is_none());
    db.run("update pgjobq.jobs set run_at = clock_timestamp()").await;
    db.until("exists (select from pgjobq.finished)").await;
    let details = db.client.job(job.id()).details().await.unwrap().unwrap();
    assert_eq!(details.status.state, pgjobq::JobState::Completed);
    assert!(details.output.is_some() && details.worker.is_none() && details.running_since.is_none());
    assert_eq!(db.client.job(pgjobq::JobId::new()).details().await.unwrap(), None);
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(dead_jobs_are_grouped_by_what_they_have_in_common);
async fn dead_jobs_are_grouped_by_what_they_have_in_common(db: TestDb) {
    let worker = db.worker().queue("looked", 5).build().await.unwrap().start();
    let id = "0197d2a0-1f4e-7000-8000-000000000001";
    let messages = ["user 7 is gone", "user 12345 is gone\nand more", &format!("no {id}"), "no 1"];
    for message in messages {
        let dead = stumble::enqueue(&db.client, message.to_owned()).await.unwrap();
        assert!(matches!(end_of(&db.client, &dead).await, Outcome::Dead(_)));
        let details = db.client.job(dead.id()).details().await.unwrap().unwrap();
        assert_eq!((details.errors.len(), details.errors[0].reason), (1, FailureReason::Error));
    }
    let groups = db.client.dead_groups(10).await.unwrap();
    let mut shown: Vec<_> = groups.iter().map(|group| (group.error.as_deref(), group.jobs)).collect();
    shown.sort();
    assert_eq!(shown, [(Some("no #"), 2), (Some("user # is gone"), 2)]);
    assert!(
        groups.iter().all(|group| group.exact && group.kind == "stumble" && group.first_at <= group.last_at)
    );
    assert_eq!(db.client.dead_groups(1).await.unwrap().len(), 1);
    let spans = db.client.throughput().await.unwrap();
    worker.shutdown().await.unwrap();
    assert_eq!(spans.len(), 20);
}

on_one_shard!(ended_attempts_are_counted_by_the_time_of_their_end);
async fn ended_attempts_are_counted_by_the_time_of_their_end(db: TestDb) {
    db.run(
        "insert into pgjobq.rates (shard, queue_id, at, completed, failed)
         select 0, 1, clock_timestamp() - ago, 1, n from (values (interval '1 second', 10), ('45 seconds', 20),
             ('46 seconds', 5), ('9 minutes 50 seconds', 30), ('11 minutes', 40), ('-1 hour', 50)) v(ago, n)",
    )
    .await;
    let failed: Vec<_> = db.client.throughput().await.unwrap().iter().map(|span| span.failed).collect();
    let mut expected = vec![0; 20];
    (expected[19], expected[18], expected[0]) = (10, 25, 30);
    assert_eq!(failed, expected);
}

on_one_and_eight_shards!(workers_and_their_kinds_are_listed);
async fn workers_and_their_kinds_are_listed(db: TestDb) {
    let worker = db.worker().queue("looked", 3).name("eye").build().await.unwrap().start();
    db.until("exists (select from pgjobq.workers)").await; // It registers after its start.
    let workers = db.client.workers().await.unwrap();
    let (listed, queues) = (&workers[0], &workers[0].queues);
    assert_eq!((workers.len(), &*listed.name, listed.slots(), listed.running), (1, "eye", 23, 0));
    assert!(queues.contains(&("looked".to_owned(), 3)) && queues.contains(&("default".to_owned(), 20)));
    assert!(listed.kinds.contains("looked_at") && !listed.is_silent() && listed.accepts.is_none());
    let kinds = db.client.recorded_kinds().await.unwrap();
    let kind = kinds.iter().find(|kind| kind.kind == "looked_at").unwrap();
    assert_eq!((&*kind.queue, kind.retries, kind.max_crashes, kind.workers), ("looked", 1, 2, 1));
    assert_eq!(kind.redacted, ["secret"]);
    worker.shutdown().await.unwrap();
    assert!(db.client.workers().await.unwrap().is_empty());
    let kinds = db.client.recorded_kinds().await.unwrap();
    assert!(kinds.iter().all(|kind| kind.workers == 0) && !kinds.is_empty());
}

on_one_and_eight_shards!(workflows_are_listed_page_by_page);
async fn workflows_are_listed_page_by_page(db: TestDb) {
    db.client.queue("looked").save().await.unwrap();
    let mut enqueued = Vec::new();
    for n in 0..5 {
        let mut flow = Workflow::new(format!("flow {n}"));
        flow.add(one::step());
        enqueued.push(flow.enqueue(&db.client).await.unwrap().id());
    }
    enqueued.sort();
    enqueued.reverse();
    let mut listed = db.client.workflows(None, 3).await.unwrap();
    assert_eq!(listed.len(), 3);
    listed.extend(db.client.workflows(Some(listed[2].id), 3).await.unwrap());
    assert_eq!(listed.iter().map(|flow| flow.id).collect::<Vec<_>>(), enqueued);
    assert!(listed.iter().all(|flow| flow.live == 1 && flow.outcome.is_none()));
}

on_one_shard!(limits_of_the_fleet_are_listed);
async fn limits_of_the_fleet_are_listed(db: TestDb) {
    db.client.queue("looked").concurrency(2).rate("5 per minute").save().await.unwrap();
    for _ in 0..3 {
        one::enqueue(&db.client).await.unwrap();
    }
    let limits = db.client.fleet_limits().await.unwrap();
    let limit = limits.iter().find(|limit| limit.name == "looked").expect("it has limits"); // Beside those of kinds.
    assert_eq!((limit.concurrency, limit.permits + limit.waiting, limit.exact), (Some(2), 3, true));
    assert_eq!((limit.rates.as_deref(), &*limit.rates_left), (Some("5 per minute"), &[5][..]));
}

on_one_shard!(unstored_fleet_state_writes_nothing);
async fn unstored_fleet_state_writes_nothing(db: TestDb) {
    db.client.queue("looked").save().await.unwrap();
    let age = Duration::from_secs(3600);
    let state = db.client.fleet_state_unstored(age).await.unwrap();
    let has = |name: &str| state.queues.iter().any(|queue| &*queue.queue == name);
    assert_eq!((state.is_new, has("default"), has("looked")), (true, true, true));
    assert_eq!(db.number("select count(*) from pgjobq.fleet").await, 0);
    db.client.fleet_state(age).await.unwrap();
    assert!(!db.client.fleet_state_unstored(age).await.unwrap().is_new);
    assert!(db.client.fleet_state_unstored(Duration::ZERO).await.unwrap().is_new);
}

on_one_shard!(shorter_statement_timeout_ends_a_statement);
async fn shorter_statement_timeout_ends_a_statement(db: TestDb) {
    let mut other = db.pool.begin().await.unwrap();
    pgjobq::sqlx::raw_sql("lock table pgjobq.pauses in access exclusive mode")
        .execute(&mut *other)
        .await
        .unwrap();
    let began = Instant::now();
    let looked = with_statement_timeout(Duration::from_millis(100), db.client.pauses()).await;
    assert_eq!(looked.unwrap_err().code().as_deref(), Some("57014"));
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    other.rollback().await.unwrap();
    with_statement_timeout(Duration::ZERO, async {}).await;
    let looked = with_statement_timeout(Duration::from_secs(9), db.client.pauses()).await;
    assert!(looked.unwrap().is_empty());
}

on_one_and_eight_shards!(requeued_job_keeps_the_time_of_its_first_enqueue);
async fn requeued_job_keeps_the_time_of_its_first_enqueue(db: TestDb) {
    db.client.queue("looked").save().await.unwrap();
    let handle = one::enqueue(&db.client).await.unwrap();
    let job = db.client.job(handle.id());
    let enqueued = job.details().await.unwrap().unwrap();
    assert_eq!(enqueued.first_enqueued_at, None);
    job.cancel().await.unwrap();
    job.requeue().await.unwrap();
    job.cancel().await.unwrap();
    handle.requeue_as(&db.client, one::job()).await.unwrap();
    let live = job.details().await.unwrap().unwrap();
    assert_eq!(live.first_enqueued_at, Some(enqueued.status.created_at));
    assert!(live.status.created_at > enqueued.status.created_at);
    job.cancel().await.unwrap();
    let ended = job.details().await.unwrap().unwrap();
    assert_eq!(ended.first_enqueued_at, Some(enqueued.status.created_at));
}
