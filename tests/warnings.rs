//! Warnings about jobs that will not run, or that delay others.
#![allow(clippy::unwrap_used)]

use std::fmt::Debug;
use std::sync::{Mutex, Once};
use std::time::Duration;

use pgjobq::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use harness::TestDb;

#[allow(dead_code, unused_macros)]
#[path = "it/harness.rs"]
mod harness;

/// The messages of our warnings, and of PostgreSQL's notices.
static MESSAGES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Witness;

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Witness {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        let is_warning = about.target().starts_with("pgjobq") && *about.level() <= Level::WARN;
        is_warning || about.target() == "sqlx::postgres::notice"
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        MESSAGES.lock().unwrap().push(message.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// A database whose warnings are collected.
async fn database() -> TestDb {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| tracing::subscriber::set_global_default(Witness).unwrap());
    TestDb::new(1).await
}

/// Polls until a message contains this text, and returns the message.
async fn heard(text: &str) -> String {
    let find = || MESSAGES.lock().unwrap().iter().find(|message| message.contains(text)).cloned();
    let found = async {
        loop {
            match find() {
                Some(message) => return message,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(90), found)
        .await
        .unwrap_or_else(|_| panic!("no warning contains: {text}"))
}

/// Waits for another job of its own queue.
#[job(queue = "narrow", retries = 0)]
async fn call_itself(ctx: JobContext, depth: u32) -> Result<()> {
    if depth > 0 {
        let child = ctx.enqueue(call_itself::job(depth - 1)).await?;
        child.wait(ctx.client()).await?.into_result()?;
    }
    Ok(())
}

/// Blocks its thread for longer than its timeout.
#[job(queue = "wide", retries = 0, timeout = "50ms")]
async fn block(millis: u64) -> Result<u64> {
    std::thread::sleep(Duration::from_millis(millis));
    Ok(millis)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_waiting_for_own_full_queue_logs_warning() {
    let db = database().await;
    let worker = Worker::builder(&db.client).queue("narrow", 1).build().await.unwrap().start();
    let job = call_itself::enqueue(&db.client, 1).await.unwrap();
    let message = heard(&format!("job {} (`call_itself`) waits for job", job.id())).await;
    let rest = "(`call_itself`) of its own queue `narrow`, and all 1 slots of this worker are taken: give the queue more slots, \
                or put the awaited jobs into another queue";
    assert!(message.ends_with(rest), "{message}");
    job.cancel(&db.client).await.unwrap();
    worker.shutdown().await.unwrap();
}

/// Returns whether a message names this job.
fn is_named(job: JobId) -> bool {
    let job = job.to_string();
    MESSAGES.lock().unwrap().iter().any(|message| message.contains(&job))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wait_before_the_commit_logs_warning() {
    let db = database().await;
    let mut tx = db.pool.begin().await.unwrap();
    let job = block::enqueue(&mut *tx, 1).await.unwrap();
    let (client, waiting) = (db.client.clone(), job.clone());
    let wait = tokio::spawn(async move { waiting.wait(&client).await });
    let message = heard(&format!("job {} (`block`): no such job yet", job.id())).await;
    assert!(message.ends_with("Is the transaction that enqueued it committed? Commit it before the wait"));
    tx.commit().await.unwrap();
    let worker = db.worker().queue("wide", 1).build().await.unwrap().start();
    assert_eq!(wait.await.unwrap().unwrap(), Outcome::Completed(1));
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wait_for_a_job_without_a_worker_logs_warning() {
    let db = database().await;
    // These workers are rows without a process: their queues and kinds count. The last one has been silent for too long.
    db.run(
        "select pgjobq.register_worker(0::smallint, 1, 'busy', '1 h', '{default, wide}', '{block}');
         select pgjobq.register_worker(0::smallint, 2, 'other', '1 h', '{narrow}', '{block}');
         select pgjobq.register_worker(0::smallint, 3, 'dead', '1 s', '{narrow}', '{call_itself}');
         update pgjobq.workers set seen_at = now() - interval '1 minute' where id = 3",
    )
    .await;
    db.client.queue("attic").save().await.unwrap();
    db.client.queue("loft").save().await.unwrap();
    let served = block::enqueue(&db.client, 1).await.unwrap();
    let later = call_itself::job(0).delay(Duration::from_secs(3600)).enqueue(&db.client).await.unwrap();
    let no_queue = block::job(2).queue("attic").enqueue(&db.client).await.unwrap();
    let no_kind = call_itself::enqueue(&db.client, 0).await.unwrap();
    let mut flow = Workflow::new("unserved");
    let step = flow.add(block::step(3).queue("loft"));
    let run = flow.enqueue(&db.client).await.unwrap();
    let waits = async {
        // In this order, so that the first two have been checked when the others are named.
        tokio::join!(
            served.wait(&db.client),
            later.wait(&db.client),
            no_queue.wait(&db.client),
            no_kind.wait(&db.client),
            run.wait(&db.client),
        )
    };
    let messages = async {
        let queue = heard(&format!("job {} (`block`) is awaited", no_queue.id())).await;
        let kind = heard(&format!("job {} (`call_itself`) is awaited", no_kind.id())).await;
        heard(&format!("job {} (`block`) is awaited", step.id())).await; // The step that the workflow lacks.
        (queue, kind)
    };
    let (queue, kind) = tokio::select! {
        _ = waits => unreachable!("no worker runs"),
        messages = messages => messages,
    };
    let rest = "does not start. No live worker takes its queue `attic`. Live workers take: `default`, `narrow`, `wide`. Start one \
                with `.queue(\"attic\", ...)`, or move the job.";
    assert!(queue.ends_with(rest), "{queue}");
    let rest = "does not start. One live worker takes its queue `narrow`, and none of them can run its kind `call_itself`: start one \
                whose program has this job function, or give a job function this alias.";
    assert!(kind.ends_with(rest), "{kind}");
    assert!(!is_named(served.id()) && !is_named(later.id()), "a wait that may end soon is not warned of");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_that_blocks_beyond_its_timeout_is_warned_of() {
    let db = database().await;
    let worker = db.worker().queue("wide", 1).build().await.unwrap().start();
    let job = block::enqueue(&db.client, 4000).await.unwrap();
    let name = format!("job {} (`block`)", job.id());
    heard(&format!("{name} still runs after its timeout of 50ms, because it, or another job on this runtime, does not await")).await;
    job.wait(&db.client).await.unwrap().into_result().unwrap();
    let afterwards = heard("the job function did not await for ").await;
    let rest = "longer than its timeout of 50ms, so nothing could stop it: move blocking work into `tokio::task::spawn_blocking`";
    assert!(afterwards.ends_with(rest), "{afterwards}");
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_that_do_not_decode_are_warned_of() {
    let db = database().await;
    let worker = db.worker().build().await.unwrap().start();
    db.run("select pgjobq.enqueue('block', '{}', queue => 'default', retries => 3)").await;
    heard("a job does not fit its job function, and is tried again").await;
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn first_migration_raises_no_notice() {
    database().await;
    let db = TestDb::empty().await;
    db.run("create schema pgjobq").await;
    db.client.migrate().await.unwrap();
    let notice = |message: &&String| message.contains("pgjobq") && message.contains("already exists");
    assert_eq!(MESSAGES.lock().unwrap().iter().find(notice), None);
}

#[tokio::test]
async fn queue_that_the_worker_leaves_to_others_is_warned_of() {
    let db = database().await;
    drop(db.worker().build().await.unwrap());
    let message = heard("`narrow` (`call_itself`, tests/warnings.rs:").await;
    let begin = "this worker does not serve these queues of the program's jobs: ";
    assert!(message.starts_with(begin), "{message}");
}

#[job(kind = "limited_twice", concurrency = 2)]
async fn limited_twice() {}

#[tokio::test]
async fn other_limits_of_another_program_are_warned_of() {
    let db = database().await;
    let other = r#"[{"kind": "limited_twice", "queue": "default", "priority": 1, "retries": 20, "max_crashes": 3, "redact": [],
                     "limit": {"concurrency": 5, "rates": [[100, 60000000]]}}]"#;
    let about = "different limits of the kind `limited_twice`";
    db.run(&format!("select pgjobq.record_kinds('{other}')")).await;
    let _ = db.worker().build().await.unwrap();
    db.run(&format!("select pgjobq.record_kinds('{other}')")).await;
    assert!(!MESSAGES.lock().unwrap().iter().any(|message| message.contains(about)), "no worker lives");
    db.run("select pgjobq.register_worker(0::smallint, 7, 'elsewhere')").await;
    let _ = db.worker().build().await.unwrap();
    let message = heard(about).await;
    assert!(
        message.contains("this one 2 at a time, and another one 5 at a time and 100 per minute"),
        "{message}"
    );
    assert!(message.contains("`elsewhere`"), "{message}");
    let _ = db.worker().build().await.unwrap();
    let warnings = MESSAGES.lock().unwrap().iter().filter(|message| message.contains(about)).count();
    assert_eq!(warnings, 1, "the same code warns of nothing");
}

#[tokio::test]
async fn build_rejects_a_queue_that_nobody_knows() {
    let db = database().await;
    let build = async |queue| Worker::builder(&db.client).queue(queue, 1).build().await;
    assert_eq!(
        build("narorw").await.unwrap_err().to_string(),
        "the worker cannot start: the queue `narorw` does not exist, and no job of this program names it: did you mean `narrow`? \
         Or create it once with `client.queue(\"narorw\").save().await?`"
    );
    assert_eq!(
        build("attic").await.unwrap_err().to_string(),
        "the worker cannot start: the queue `attic` does not exist, and no job of this program names it: create it once with \
         `client.queue(\"attic\").save().await?`, or correct its name"
    );
    assert_eq!(db.number("select count(*) from pgjobq.queues where name in ('narorw', 'attic')").await, 0);
    db.client.queue("attic").save().await.unwrap();
    drop(build("attic").await.unwrap());
}

#[tokio::test]
async fn enqueue_from_sql_of_an_unknown_kind_raises_a_notice() {
    let db = database().await;
    db.run("select pgjobq.enqueue('block', '{\"millis\": 1}'), pgjobq.enqueue('blokc', '{\"millis\": 1}')")
        .await;
    heard("no program has recorded the kind 'blokc'").await;
    assert!(!MESSAGES.lock().unwrap().iter().any(|message| message.contains("'block'")));
}
