//! The `tracing` output: a span for each attempt, with its outcome and without its arguments.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::sqlx::PgPool;
use pgjobq::{JobState, WorkerError};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Everything that was recorded: spans by their number, and events, each as its fields.
static SPANS: Mutex<BTreeMap<u64, Fields>> = Mutex::new(BTreeMap::new());
static EVENTS: Mutex<Vec<Fields>> = Mutex::new(Vec::new());

#[derive(Clone, Debug, Default)]
struct Fields(BTreeMap<&'static str, String>);

struct Witness(AtomicU64);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Subscriber for Witness {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        about.target().starts_with("pgjobq")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(BTreeMap::from([("span", span.metadata().name().to_owned())]));
        span.record(&mut fields);
        let is_attempt = span.metadata().name() == "job";
        let kind = fields.0.get("messaging.pgjobq.kind").map(String::as_str).filter(|_| is_attempt);
        assert_ne!(kind, Some("unspeakable"), "a subscriber's bug");
        let id = self.0.fetch_add(1, Ordering::Relaxed);
        SPANS.lock().unwrap().insert(id, fields);
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        values.record(SPANS.lock().unwrap().get_mut(&span.into_u64()).unwrap());
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(BTreeMap::from([("level", event.metadata().level().to_string())]));
        event.record(&mut fields);
        let said = format!("{fields:?}");
        assert!(!said.contains("unmentionable"), "a subscriber's bug");
        assert!(!said.contains("following up failed"), "a subscriber's bug");
        EVENTS.lock().unwrap().push(fields);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Fails at first; then ends as `fatal` says.
#[job(queue = "traced", retries = 1, backoff = "1ms")]
async fn stumble(ctx: JobContext, password: String, fatal: bool) -> Result<()> {
    match (ctx.attempt(), fatal) {
        (1, _) => Err(format!("{} characters are too few", password.len()).into()),
        (_, true) => Err(JobError::fatal("no")),
        (_, false) => Ok(()),
    }
}

/// Returns its trace context.
#[job(queue = "traced")]
async fn quiet(ctx: JobContext) -> Result<Option<String>> {
    Ok(ctx.traceparent().map(str::to_owned))
}

/// Runs until it is cancelled.
#[job(queue = "traced")]
async fn linger(ctx: JobContext) -> Result<()> {
    ctx.stop_requested().await;
    Err("asked to stop".into())
}

/// Takes two jobs in one call.
#[job(queue = "traced", batch = 2, within = "5s")]
async fn together(words: Batch<String>) {
    let _ = words;
}

/// Runs until its worker drops it.
#[job(queue = "endless")]
async fn never_end() {
    std::future::pending().await
}

/// Its span makes the subscriber panic.
#[job(queue = "unheard", retries = 0)]
async fn unspeakable() {}

/// The log of its failure makes the subscriber panic.
#[job(queue = "unheard", retries = 0)]
async fn fail_oddly() -> Result<()> {
    Err("unmentionable".into())
}

/// A client of a new database. [`Stage::drop`] drops the database.
struct Stage {
    _server: pgjobq::dev::Database,
    admin: PgPool,
    name: String,
    client: Client,
}

impl Stage {
    async fn new() -> Self {
        static HEARS: std::sync::Once = std::sync::Once::new();
        HEARS.call_once(|| tracing::subscriber::set_global_default(Witness(AtomicU64::new(1))).unwrap());
        let server = pgjobq::dev::database().await.unwrap();
        let name = format!("pgjobq_traces_{}", uuid::Uuid::new_v4().simple());
        let admin = PgPool::connect(server.url()).await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("create database {name}"));
        sqlx::raw_sql(create).execute(&admin).await.unwrap();
        let options = admin.connect_options().as_ref().clone().database(&name);
        let client = Client::new(PgPool::connect_with(options).await.unwrap());
        client.migrate().await.unwrap();
        Self { _server: server, admin, name, client }
    }

    async fn drop(self) {
        self.client.close().await;
        let drop = sqlx::AssertSqlSafe(format!("drop database {} with (force)", self.name));
        sqlx::raw_sql(drop).execute(&self.admin).await.unwrap();
    }
}

#[tokio::test]
async fn subscriber_that_panics_costs_no_job() {
    let stage = Stage::new().await;
    let worker = Worker::builder(&stage.client).queue("unheard", 5).build().await.unwrap().start();
    let message = async |job: JobHandle<()>| match job.wait(&stage.client).await.unwrap() {
        Outcome::Dead(failure) => failure.message().to_owned(),
        other => panic!("{other:?}"),
    };
    let unspeakable = unspeakable::enqueue(&stage.client).await.unwrap();
    assert_eq!(message(unspeakable).await, "it panicked outside of the job function");
    let odd = fail_oddly::enqueue(&stage.client).await.unwrap();
    assert_eq!(message(odd).await, "unmentionable");
    worker.shutdown().await.unwrap();
    stage.drop().await;
}

#[tokio::test]
async fn worker_whose_part_panics_ends_by_itself() {
    let stage = Stage::new().await;
    let worker = Worker::builder(&stage.client).queue("unheard", 5).build().await.unwrap();
    let missing = "alter table pgjobq.cancels rename to no_cancels";
    sqlx::raw_sql(missing).execute(stage.client.pool()).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(60), worker.run_until(std::future::pending())).await;
    let ended = ended.expect("the worker ends without a shutdown");
    assert!(matches!(ended, Err(WorkerError::Panicked { part: "follow-ups" })), "{ended:?}");
    stage.drop().await;
}

#[tokio::test]
async fn attempt_is_a_span_without_arguments() {
    let stage = Stage::new().await;
    let client = stage.client.clone();
    let worker = Worker::builder(&client).queue("traced", 5).build().await.unwrap().start();

    let job = stumble::job("hunter2".to_owned(), false).traceparent(TRACE).enqueue(&client).await.unwrap();
    let _ = job.wait(&client).await.unwrap();
    let dead = stumble::enqueue(&client, "hunter2".to_owned(), true).await.unwrap();
    let _ = dead.wait(&client).await.unwrap();
    let lingers = linger::enqueue(&client).await.unwrap();
    while lingers.status(&client).await.unwrap().unwrap().state != JobState::Running {}
    lingers.cancel(&client).await.unwrap();
    let _ = lingers.wait(&client).await.unwrap();
    worker.shutdown().await.unwrap();
    stage.drop().await;

    let spans: Vec<Fields> = SPANS.lock().unwrap().values().cloned().collect();
    let of = |job: JobId| {
        let is_of =
            |fields: &Fields, name: &str, value: &str| fields.0.get(name).is_some_and(|is| is == value);
        let mine = |fields: &&Fields| {
            is_of(fields, "messaging.message.id", &job.to_string()) && is_of(fields, "span", "job")
        };
        spans.iter().filter(mine).cloned().collect::<Vec<_>>()
    };
    let expected = |attempt: &str, outcome: &str| {
        [
            ("otel.name", "process traced"),
            ("otel.kind", "consumer"),
            ("messaging.system", "pgjobq"),
            ("messaging.operation.type", "process"),
            ("messaging.pgjobq.kind", "stumble"),
            ("messaging.destination.name", "traced"),
            ("messaging.pgjobq.attempt", attempt),
            ("messaging.pgjobq.outcome", outcome),
        ]
        .map(|(name, value)| (name, value.to_owned()))
    };
    for (id, outcomes, trace) in
        [(job.id(), ["retry", "complete"], Some(TRACE)), (dead.id(), ["retry", "bury"], None)]
    {
        let attempts = of(id);
        assert_eq!(attempts.len(), 2, "{attempts:?}");
        for (attempt, (number, outcome)) in attempts.iter().zip([("1", outcomes[0]), ("2", outcomes[1])]) {
            for (name, value) in expected(number, outcome) {
                assert_eq!(attempt.0.get(name), Some(&value), "{name} of {attempt:?}");
            }
            assert_eq!(attempt.0.get("traceparent").map(String::as_str), trace);
            let error = match outcome {
                "retry" => Some("error"),
                "bury" => Some("fatal"),
                _ => None,
            };
            assert_eq!(attempt.0.get("error.type").map(String::as_str), error);
            assert_eq!(attempt.0.get("otel.status_code").map(String::as_str), error.map(|_| "ERROR"));
        }
    }
    assert_eq!(of(lingers.id())[0].0["messaging.pgjobq.outcome"], "cancel");
    let events = EVENTS.lock().unwrap().clone();
    let logged = |level: &str, message: &str| {
        let is = |event: &&Fields| event.0["level"] == level && event.0["message"] == message;
        let of_another_test =
            |event: &&Fields| event.0.get("error").is_some_and(|e| e.contains("outside of"));
        events.iter().filter(is).filter(|event| !of_another_test(event)).count()
    };
    assert_eq!((logged("INFO", "an attempt failed"), logged("WARN", "a job is dead")), (2, 1));
    let everything = format!("{spans:?} {events:?}");
    assert!(!everything.contains("hunter2"), "{everything}");
}

#[tokio::test]
async fn call_for_several_jobs_is_a_span_beside_theirs() {
    let stage = Stage::new().await;
    let worker = Worker::builder(&stage.client).queue("traced", 5).build().await.unwrap().start();
    let jobs = ["hunter2", "hunter2"].map(|word| together::job(word.to_owned()));
    let jobs = stage.client.enqueue_each(jobs).await.unwrap();
    for job in &jobs {
        assert_eq!(job.wait(&stage.client).await.unwrap(), Outcome::Completed(()));
    }
    worker.shutdown().await.unwrap();
    stage.drop().await;

    let spans: Vec<Fields> = SPANS.lock().unwrap().values().cloned().collect();
    let named = |name: &str| {
        let is = |span: &&Fields| {
            span.0["span"] == name
                && span.0.get("messaging.pgjobq.kind").is_some_and(|kind| kind == "together")
        };
        spans.iter().filter(is).collect::<Vec<_>>()
    };
    let calls = named("batch");
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (&*calls[0].0["messaging.batch.message_count"], &*calls[0].0["otel.name"]),
        ("2", "batch together")
    );
    let attempts = named("job");
    assert_eq!(attempts.len(), 2);
    assert!(attempts.iter().all(|attempt| attempt.0["messaging.pgjobq.outcome"] == "complete"));
    assert!(!format!("{spans:?}").contains("hunter2"), "no arguments");
}

#[tokio::test]
async fn enqueue_is_a_span_with_its_queue_and_error() {
    let stage = Stage::new().await;
    let job = stumble::enqueue(&stage.client, "hunter2".to_owned(), true).await.unwrap();
    let jobs = (0..3).map(|_| stumble::job("hunter2".to_owned(), true));
    stage.client.enqueue_all(jobs).await.unwrap();
    let lost = linger::job().queue("nowhere").enqueue(&stage.client).await;
    assert!(matches!(lost, Err(pgjobq::EnqueueError::UnknownQueue { .. })), "{lost:?}");
    stage.drop().await;

    let spans: Vec<Fields> = SPANS.lock().unwrap().values().cloned().collect();
    let found = |name: &str, value: &str| {
        let is = |fields: &&Fields| {
            fields.0["span"] == "enqueue" && fields.0.get(name).is_some_and(|is| is == value)
        };
        spans.iter().find(is).cloned().unwrap().0
    };
    let one = found("messaging.message.id", &job.id().to_string());
    assert_eq!((&*one["otel.name"], &*one["otel.kind"]), ("send traced", "producer"));
    assert_eq!(one.get("error.type"), None);
    let many = found("messaging.batch.message_count", "3");
    assert_eq!((&*many["otel.name"], &*many["otel.kind"]), ("send traced", "client"));
    assert_eq!(many["messaging.destination.name"], "traced");
    let failed = found("messaging.destination.name", "nowhere");
    assert_eq!((&*failed["error.type"], &*failed["otel.status_code"]), ("unknown_queue", "ERROR"));
    assert!(!format!("{spans:?}").contains("hunter2"), "no arguments");
}

#[tokio::test]
async fn malformed_trace_context_is_dropped_with_a_warning() {
    let stage = Stage::new().await;
    let worker = Worker::builder(&stage.client).queue("traced", 5).build().await.unwrap().start();
    let job = quiet::job().traceparent("00-\0-nonsense").enqueue(&stage.client).await.unwrap();
    assert_eq!(job.wait(&stage.client).await.unwrap(), Outcome::Completed(None));
    assert_eq!(warnings("a new job has a malformed trace context").len(), 1);
    let by_sql = "select pgjobq.enqueue('quiet', queue => 'traced', traceparent => '00-4bf9-01')";
    sqlx::raw_sql(by_sql).execute(stage.client.pool()).await.unwrap();
    while warnings("a job carries a malformed trace context").is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    worker.shutdown().await.unwrap();
    stage.drop().await;
}

/// The fields of the warnings whose message contains `part`.
fn warnings(part: &str) -> Vec<Fields> {
    let events = EVENTS.lock().unwrap();
    let is = |event: &&Fields| event.0["level"] == "WARN" && event.0["message"].contains(part);
    events.iter().filter(is).cloned().collect()
}

#[tokio::test]
async fn worker_that_never_runs_logs_a_warning() {
    let stage = Stage::new().await;
    drop(Worker::builder(&stage.client).name("idle one").queue("unheard", 5).build().await.unwrap());
    let warned = warnings("was built and never ran");
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert_eq!(warned[0].0["worker"], "idle one");
    stage.drop().await;
}

#[tokio::test]
async fn only_dropped_worker_logs_a_warning() {
    let stage = Stage::new().await;
    let worker = || Worker::builder(&stage.client).name("lost one").queue("unheard", 5);
    worker().build().await.unwrap().start().shutdown().await.unwrap();
    assert_eq!(warnings("a running worker was dropped").len(), 0);
    drop(worker().build().await.unwrap().start());
    let warned = warnings("a running worker was dropped");
    assert_eq!((warned.len(), &*warned[0].0["worker"], &*warned[0].0["jobs"]), (1, "lost one", "0"));
    stage.drop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn second_signal_ends_grace_and_logs_unfinished_jobs() {
    let stage = Stage::new().await;
    let worker = Worker::builder(&stage.client).queue("endless", 5).grace(Duration::from_secs(600));
    let running = tokio::spawn(worker.build().await.unwrap().run_until(pgjobq::shutdown_signal()));
    let job = never_end::enqueue(&stage.client).await.unwrap();
    while job.status(&stage.client).await.unwrap().unwrap().state != JobState::Running {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let process = std::process::id().to_string();
    let signal = || std::process::Command::new("kill").args(["-TERM", &process]).status().unwrap();
    // Two signals that come together may be merged into one.
    while !running.is_finished() {
        assert!(signal().success());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    running.await.unwrap().unwrap();
    let warned = warnings("the grace has ended");
    assert_eq!(
        (warned.len(), &*warned[0].0["jobs"], &*warned[0].0["ended_by"]),
        (1, "1", "another signal came")
    );
    assert_eq!(
        job.status(&stage.client).await.unwrap().unwrap().state,
        JobState::Ready,
        "the job is back in line"
    );
    stage.drop().await;
}
