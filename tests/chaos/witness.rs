//! In a worker process: an observer and a hook that send what they see to the test, as lines on standard output.

use std::io::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use pgjobq::observe::{Event, ObservedJob, Statement, TelemetryHook};
use uuid::Uuid;

use crate::LEASE;

/// The beginning of such a line.
pub(crate) const EVENT: &str = "EVENT|";
/// Jobs that ignore everything block their threads for at most two leases.
const ENDS_WITHIN: Duration = Duration::from_secs(LEASE.as_secs() * 3);

/// The attempts that have started, and have neither ended nor lost their lease.
static OPEN: AtomicI64 = AtomicI64::new(0);

/// Sends an event to the test.
pub(crate) fn tell(event: &Event) {
    match event {
        Event::Started(started) => {
            OPEN.fetch_add(1, Ordering::SeqCst);
            say_of("started", &started.job);
        }
        Event::Ended(ended) => {
            OPEN.fetch_sub(i64::from(ended.run.is_some()), Ordering::SeqCst);
            let without = if ended.run.is_none() { "without " } else { "" };
            say_of(&format!("{without}{}", ended.outcome), &ended.job);
        }
        Event::LeaseLost(lost) => {
            OPEN.fetch_sub(1, Ordering::SeqCst);
            say_of("lost", &lost.job);
        }
        Event::StaleResult(stale) => say_of("stale", &stale.job),
        Event::CrashRecovered(crash) => {
            say("crashed", Uuid::nil(), crash.requeued + crash.buried + crash.cancelled);
        }
        Event::Dropped(dropped) => say("dropped", Uuid::nil(), dropped.count),
        _ => {}
    }
}

/// Sends the names of statements that failed to the test. Such a statement may have been executed all the same.
pub(crate) struct FailedStatements;

impl TelemetryHook for FailedStatements {
    fn on_statement(&self, statement: &Statement) {
        if statement.error.is_some() {
            say(&format!("failed {}", statement.name), Uuid::nil(), 1);
        }
    }
}

/// Tells the test, after the end of the worker, that all events were sent, once no attempt is left.
pub(crate) async fn tell_end() {
    let begun = Instant::now();
    while OPEN.load(Ordering::SeqCst) != 0 && begun.elapsed() < ENDS_WITHIN {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    say("end", Uuid::nil(), 0);
}

fn say_of(what: &str, job: &ObservedJob) {
    say(what, job.id.as_uuid(), job.attempt.into());
}

fn say(what: &str, job: Uuid, number: u64) {
    // The test may be gone.
    let _ = writeln!(std::io::stdout(), "{EVENT}{what}|{job}|{number}");
}
