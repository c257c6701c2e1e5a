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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_that_blocks_beyond_its_timeout_is_warned_of() {
    let db = database().await;
    let worker = db.worker().queue("wide", 1).build().await.unwrap().start();
    let job = block::enqueue(&db.client, 4000).await.unwrap();
    let name = format!("job {} (`block`)", job.id());
    heard(&format!("{name} still runs after its timeout of 50ms, because it, or another job on this runtime, does not await")).await;
    job.wait(&db.client).await.unwrap().into_result().unwrap();
    let afterwards = heard("the job function did not await for 4.").await;
    let rest = "longer than its timeout of 50ms, so nothing could stop it: move blocking work into `tokio::task::spawn_blocking`";
    assert!(afterwards.ends_with(rest), "{afterwards}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn queue_that_the_worker_leaves_to_others_is_warned_of() {
    let db = database().await;
    drop(db.worker().build().await.unwrap());
    let message = heard("`narrow` (`call_itself`, tests/warnings.rs:").await;
    let begin = "this worker does not serve these queues of the program's jobs: ";
    assert!(message.starts_with(begin), "{message}");
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
