//! The time of one statement, for hooks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::PgRow;

use crate::observe::statement::{Seen, Statement};
use crate::observe::telemetry::Telemetry;

/// The sender of a statement, and what it may be wrapped in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender<'s> {
    /// The name of the worker; `None` for a client.
    pub(crate) worker: Option<&'s Arc<str>>,
    /// True if the statement is a transaction by itself, so that a sampler may open one around it.
    pub(crate) alone: bool,
}

impl Sender<'_> {
    /// A client's statement that is a transaction by itself.
    pub(crate) const ALONE: Self = Self { worker: None, alone: true };
    /// A client's statement in a transaction, perhaps the caller's.
    pub(crate) const IN_TRANSACTION: Self = Self { worker: None, alone: false };
}

/// The time of a statement. If it is dropped, nobody waits for the answer any more.
pub(super) struct Watch<'w> {
    telemetry: &'w Telemetry,
    name: &'static str,
    sender: Sender<'w>,
    started: Instant,
    stopped: bool,
}

impl<'w> Watch<'w> {
    pub(super) fn start(telemetry: &'w Telemetry, name: &'static str, sender: Sender<'w>) -> Self {
        Self { telemetry, name, sender, started: Instant::now(), stopped: false }
    }

    /// Starts again: what came before was not the statement.
    pub(super) fn restart(&mut self) {
        self.started = Instant::now();
    }

    /// Notifies hooks of the answer, and returns it.
    pub(super) fn stop(mut self, answer: Result<Vec<PgRow>, sqlx::Error>) -> Result<Vec<PgRow>, sqlx::Error> {
        self.stopped = true;
        let rows = answer.as_ref().map_or(0, Vec::len);
        let error = answer.as_ref().err().map(|error| {
            let code = error.as_database_error().and_then(|error| error.code());
            code.map_or_else(|| "connection".into(), |code| Arc::from(&*code))
        });
        self.report(rows, error, self.started.elapsed());
        answer
    }

    fn report(&self, rows: usize, error: Option<Arc<str>>, duration: Duration) {
        if let Some(sampling) = &self.telemetry.sampling {
            sampling.took(self.name, duration);
        }
        self.telemetry.hooks.emit_one(|| {
            let worker = self.sender.worker.cloned();
            Seen::Statement(Statement { name: self.name, worker, duration, rows: rows as u64, error })
        });
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.stopped {
            self.report(0, Some("unanswered".into()), self.started.elapsed());
        }
    }
}
