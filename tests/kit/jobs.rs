//! The jobs of these tests, and the log that they write.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::testing::{Faults, TestQueue, assert_enqueued};
use pgjobq::{JobError, State};
use tokio::sync::Notify;

/// What the jobs of one test have done.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Vec<String>>);

impl Log {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what.into());
    }

    /// Returns what was noted since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Gives the test's jobs a log.
pub(crate) fn log(pg: &TestQueue) -> State<Log> {
    pg.state(Log::default())
}

pub(crate) type Ended = std::result::Result<(), pgjobq::Error>;

#[job]
pub(crate) async fn note(what: String, log: State<Log>) {
    log.note(what);
}

#[job(queue = "elsewhere")]
pub(crate) async fn note_elsewhere(what: String, log: State<Log>) {
    log.note(what);
}

/// Enqueues the next of these notes.
#[job]
pub(crate) async fn chain(ctx: JobContext, left: u32, log: State<Log>) -> Result<()> {
    log.note(format!("{left} left"));
    if left > 0 {
        ctx.enqueue(chain::job(left - 1)).await?;
    }
    Ok(())
}

/// Fails until this attempt.
#[job(retries = 3, backoff = "10m")]
pub(crate) async fn fail_until(ctx: JobContext, attempt: u32) -> Result<u32> {
    if ctx.attempt() < attempt {
        return Err(JobError::from(format!("attempt {} of {attempt}", ctx.attempt())));
    }
    Ok(attempt)
}

#[job]
pub(crate) async fn call_chain(ctx: JobContext) -> Result<()> {
    chain::call(ctx.client(), 0).await?;
    Ok(())
}

#[job]
pub(crate) async fn crash(ctx: JobContext, attempts: u32, log: State<Log>, faults: State<Faults>) {
    log.note(format!("attempt {}", ctx.attempt()));
    if ctx.attempt() <= attempts {
        faults.crash_here().await;
    }
}

#[job]
pub(crate) async fn lose(ctx: JobContext, log: State<Log>, faults: State<Faults>) -> Result<u32> {
    if ctx.attempt() == 1 {
        faults.lose_lease_here().await;
    }
    log.note(format!("attempt {}, should stop: {}", ctx.attempt(), ctx.should_stop()));
    Ok(ctx.attempt())
}

#[job]
pub(crate) async fn wait_until_cancelled(ctx: JobContext, log: State<Log>) {
    log.note("runs");
    ctx.stop_requested().await;
}

#[job]
pub(crate) async fn write_row(tx: &mut Tx, number: i32) -> Result<()> {
    sqlx::query("insert into numbers values ($1)").bind(number).execute(&mut **tx).await?;
    Ok(())
}

#[job(key = tenant, concurrency = 1)]
pub(crate) async fn one_at_a_time(tenant: u32, log: State<Log>) {
    log.note(format!("tenant {tenant}"));
}

#[job(rate = "2 per hour")]
pub(crate) async fn twice_an_hour(number: u32, log: State<Log>) {
    log.note(format!("number {number}"));
}

#[job(unique = args, unique_while = "1h")]
pub(crate) async fn once_an_hour(user: String, log: State<Log>) {
    log.note(user);
}

#[job(unique = document, unique_while = "waiting", on_duplicate = "debounce 30s")]
pub(crate) async fn index(document: u32, version: u32, log: State<Log>) {
    log.note(format!("{document}.{version}"));
}

#[job(redact = [token])]
pub(crate) async fn sign_in(user: String, token: String) {
    let _ = (user, token);
}

/// A type of an argument, of which a test matches a part.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) enum Plan {
    Free,
    Pro { seats: u32 },
}

#[job(queue = "mail", priority = "high", attributes(tenant))]
pub(crate) async fn welcome(user: String, tenant: u32, plan: Plan) {
    let _ = (user, tenant, plan);
}

/// The arguments of `charge` in version 1.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct ChargeV1 {
    order: u32,
}

impl From<ChargeV1> for ChargeArgs {
    fn from(ChargeV1 { order }: ChargeV1) -> Self {
        Self { order_id: order }
    }
}

#[job(version = 2, upcast_from = ChargeV1, aliases = ["bill"])]
pub(crate) async fn charge(order_id: u32) {
    let _ = order_id;
}

#[job(schedule = "0 2 * * *", timezone = "Europe/Berlin")]
pub(crate) async fn nightly(ctx: JobContext, log: State<Log>) {
    let tick = ctx.tick().map_or(std::time::UNIX_EPOCH, |tick| tick.at);
    log.note(format!("{tick:?}"));
}

#[job]
pub(crate) async fn count_words(text: String) -> Result<usize> {
    Ok(text.split_whitespace().count())
}

/// A step that takes the output of another one.
#[job(queue = "print")]
pub(crate) async fn publish(title: String, words: usize, comment: Option<String>, log: State<Log>) {
    let _ = comment;
    log.note(format!("{title}: {words} words"));
}

/// Ends when the test opens it.
#[derive(Debug, Default)]
pub(crate) struct Gate(pub(crate) Notify);

#[job]
pub(crate) async fn wait_at(gate: State<Gate>, log: State<Log>) {
    log.note("waits");
    gate.0.notified().await;
}

/// Enqueues a note in a task of its own, and waits for it.
#[job]
pub(crate) async fn note_in_a_task(ctx: JobContext) -> Result<()> {
    let client = ctx.client().clone();
    let task = tokio::spawn(async move { note::enqueue(&client, "from a task".to_owned()).await });
    task.await??;
    Ok(())
}

/// Uses the queue of its own test.
#[job(retries = 0)]
pub(crate) async fn meddle(queue: State<TestQueue>, log: State<Log>) {
    log.note(queue.drain().await.unwrap_err().to_string());
    log.note(queue.advance(HOUR).await.unwrap_err().to_string());
    assert_enqueued!(queue, note);
}

/// A document to index.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Document {
    pub(crate) number: u32,
}

#[job(batch = 3, within = "5s")]
pub(crate) async fn index_many(documents: Batch<Document>, log: State<Log>) -> BatchResult {
    let numbers: Vec<u32> = documents.iter().map(|document| document.args().number).collect();
    log.note(format!("{numbers:?}"));
    documents.settle(numbers.into_iter().map(|_| Ok::<(), JobError>(())))
}

pub(crate) const HOUR: Duration = Duration::from_hours(1);
