//! What tools need that do not link the program's jobs: lists for people, and enqueues by the name of a kind.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{EnqueueByKindError, WhenFull};

use crate::error_text::check_says;
use crate::harness::TestDb;
use crate::lifecycle::double;
use crate::probe::end_of;

const HOUR: Duration = Duration::from_secs(3600);

#[job(retries = 5, backoff = "1h", redact = [password])]
async fn tools_fail(user: String, password: String) -> Result<()> {
    Err(format!("no account {user} of {} letters", password.len()).into())
}

#[job]
async fn tools_step() {}

on_one_shard!(queues_have_their_numbers); // A bound needs one shard.
async fn queues_have_their_numbers(db: TestDb) {
    db.client.queue("attic").bounded(5).save().await.unwrap();
    double::job(1).queue("attic").enqueue(&db.client).await.unwrap();
    double::job(2).queue("attic").delay(HOUR).enqueue(&db.client).await.unwrap();
    db.client.queue("attic").pause().await.unwrap();
    let queues = db.client.queues().await.unwrap();
    assert!(queues.is_sorted_by(|one, next| one.queue < next.queue));
    let named = |name: &str| queues.iter().find(|queue| queue.queue == name).unwrap();
    let (attic, other) = (named("attic"), named("default"));
    assert_eq!((attic.ready, attic.scheduled, attic.running, attic.workers), (1, 1, 0, 0));
    assert_eq!((attic.bound, attic.room, attic.paused, attic.exact), (Some(5), Some(3), true, true));
    assert!(attic.oldest_ready.is_some() && attic.oldest_waits_for.is_some());
    assert_eq!((other.ready, other.bound, other.paused, other.oldest_ready), (0, None, false, None));
}

on_one_and_eight_shards!(workflows_are_listed_page_by_page);
async fn workflows_are_listed_page_by_page(db: TestDb) {
    assert_eq!(db.client.workflows(None, 10).await.unwrap(), []);
    let mut enqueued = Vec::new();
    for n in 0..5 {
        let mut flow = Workflow::new(format!("flow {n}"));
        flow.add(tools_step::step());
        enqueued.push(flow.enqueue(&db.client).await.unwrap().id());
    }
    enqueued.sort_unstable(); // Ids of one millisecond are in no order.
    enqueued.reverse();
    let (mut listed, mut before) = (Vec::new(), None);
    loop {
        let page = db.client.workflows(before, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 2);
        assert!(page.iter().all(|flow| flow.live == 1 && flow.outcome.is_none()));
        before = Some(last.id);
        listed.extend(page.iter().map(|flow| flow.id));
    }
    assert_eq!(listed, enqueued);
}

on_one_and_eight_shards!(details_have_arguments_errors_and_output);
async fn details_have_arguments_errors_and_output(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let failing = tools_fail::job("ada".to_owned(), "secret".to_owned());
    let failing = failing.attribute("tenant", 42).key("a key").priority(Priority::High);
    let failing = failing.enqueue(&db.client).await.unwrap();
    db.until("exists (select from pgjobq.failures)").await;
    let details = db.client.job(failing.id()).details().await.unwrap().unwrap();
    assert_eq!(details.args, r#"{"user": "ada", "password": "[redacted]"}"#);
    assert_eq!((details.status.failures, details.priority), (1, Priority::High));
    assert_eq!(details.errors[0].message, "no account ada of 6 letters");
    assert_eq!((details.key.as_deref(), details.attributes.len(), details.output), (Some("a key"), 1, None));
    let doubled = double::enqueue(&db.client, i64::MAX / 2).await.unwrap();
    assert_eq!(end_of(&db.client, &doubled).await, Outcome::Completed(i64::MAX - 1));
    let details = db.client.job(doubled.id()).details().await.unwrap().unwrap();
    assert_eq!(details.output.as_deref(), Some("9223372036854775806"));
    assert_eq!(details.errors, []);
    assert_eq!(db.client.job(JobId::new()).details().await.unwrap(), None);
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(job_is_enqueued_by_the_name_of_its_kind);
async fn job_is_enqueued_by_the_name_of_its_kind(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let id = JobId::new();
    let enqueue = || db.client.kind("double").enqueue(r#"{"number": 21}"#).id(id);
    let first = enqueue().delay(HOUR).attributes(r#"{"tenant": 42}"#).key("k").await.unwrap();
    assert_eq!((first.job, first.outcome), (Some(id), EnqueueOutcome::New));
    assert_eq!(enqueue().await.unwrap().outcome, EnqueueOutcome::Duplicate(id));
    let details = db.client.job(id).details().await.unwrap().unwrap();
    assert_eq!((details.status.state, details.key.as_deref()), (JobState::Scheduled, Some("k")));
    let now = db.client.kind("double").enqueue(r#"{"number": 21}"#).priority(Priority::Critical);
    let now = now.retries(0).expires_in(HOUR).await.unwrap();
    assert_eq!(end_of(&db.client, &double::handle(now.job.unwrap())).await, Outcome::Completed(42));
    worker.shutdown().await.unwrap();
}

on_one_shard!(mistakes_of_a_named_enqueue_are_explained);
async fn mistakes_of_a_named_enqueue_are_explained(db: TestDb) {
    let job = |args: &str| db.client.kind("double").enqueue(args);
    check_says(
        job("{}").queue("mial").await,
        "there is no queue 'mial'; create it with `client.queue(…).save()`, or correct its name",
    );
    check_says(
        job("[1]").await,
        "the arguments of a job must be a JSON object, but these are an array: [1]. \
         Write a JSON object with the job function's arguments by name, such as {\"user_id\": 7}",
    );
    let error = job("{number: 1}").await.unwrap_err();
    assert!(matches!(&error, EnqueueByKindError::Invalid(said) if said.contains("json")), "{error}");
    let error = db.client.kind("a kind").enqueue("{}").await.unwrap_err().to_string();
    assert!(error.starts_with("a kind is 1 to 100 letters, digits"), "{error}");
    let error = job("{}").delay(Duration::MAX).await.unwrap_err().to_string();
    assert!(error.starts_with("a job cannot run in more than a hundred years"), "{error}");
    db.client.queue("full").bounded(1).save().await.unwrap();
    job("{}").queue("full").await.unwrap();
    let error = job("{}").queue("full").await.unwrap_err();
    assert!(matches!(error, EnqueueByKindError::QueueFull(_)), "{error}");
    db.client.queue("full").change().when_full(WhenFull::DropNew).await.unwrap();
    let dropped = job("{}").queue("full").await.unwrap();
    assert_eq!((dropped.job, dropped.outcome), (None, EnqueueOutcome::Dropped));
}
