//! The warnings of a worker process. It sends each to the test as a line on standard output.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::witnessed::Witnessed;

/// The warning that the finisher logs about results that were refused.
const STALE: &str = "results came after their lease was lost, and changed nothing";

/// Sends the warnings of a worker process to the test.
pub(crate) fn tell() {
    tracing::subscriber::set_global_default(Teller).unwrap();
}

struct Teller;

impl Subscriber for Teller {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        *about.level() <= Level::WARN && about.target().starts_with("pgjobq")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        // The test may be gone.
        let _ = writeln!(std::io::stdout(), "{}", line.0.replace('\n', " "));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// `level|name=value|…`
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "|{}={value:?}", field.name());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, "|{}={value}", field.name());
    }
}

/// The warnings of all worker processes, and the events that they have observed.
#[derive(Default)]
pub(crate) struct Overheard {
    heard: Mutex<Heard>,
    pub(crate) witnessed: Witnessed,
}

#[derive(Default)]
struct Heard {
    stale: u64,
    errors: Vec<String>,
    messages: BTreeMap<String, u64>,
}

impl Overheard {
    /// Takes note of a line of this process.
    pub(crate) fn note(&self, process: u32, line: &str) {
        if self.witnessed.note(process, line) {
            return;
        }
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let fields = || line.split('|').filter_map(|field| field.split_once('='));
        let of = |wanted: &str| fields().find(|(name, _)| *name == wanted).map(|(_, value)| value);
        let message = of("message").unwrap_or(line);
        if message == STALE {
            heard.stale += of("jobs").and_then(|jobs| jobs.parse::<u64>().ok()).unwrap_or(0);
        }
        if line.starts_with("ERROR") {
            heard.errors.push(line.to_owned());
        }
        *heard.messages.entry(message.to_owned()).or_default() += 1;
    }

    /// The number of stale results.
    pub(crate) fn stale(&self) -> u64 {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).stale
    }

    /// The messages that a person should look at.
    pub(crate) fn errors(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).errors.clone()
    }

    /// Each message, and its count.
    pub(crate) fn summary(&self) -> String {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard
            .messages
            .iter()
            .fold(String::new(), |all, (message, times)| format!("{all}\n{times:>6}  {message}"))
    }
}
