//! The notices that the server sends during one statement. sqlx passes them to `tracing` and to nobody else, so a subscriber around
//! the statement listens for them, and passes everything else on.

use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::dispatcher::{Dispatch, get_default};
use tracing::field::{Field, Visit};
use tracing::instrument::WithSubscriber as _;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

use crate::lock::lock;

/// The target under which sqlx passes on notices.
const TARGET: &str = "sqlx::postgres::notice";
/// The largest number of notices that are kept, and their largest size together.
const MOST_NOTICES: usize = 500;
const MOST_BYTES: usize = 4 << 20;

/// Awaits `statement`. Also returns the notices that came meanwhile.
pub(super) async fn heard_during<T>(statement: impl Future<Output = T>) -> (T, Vec<String>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = Listener { heard: Arc::clone(&heard), others: get_default(Clone::clone) };
    let answer = statement.with_subscriber(Dispatch::new(listener)).await;
    let heard = std::mem::take(&mut *lock(&heard));
    (answer, heard)
}

/// Keeps notices, and passes everything else on.
struct Listener {
    heard: Arc<Mutex<Vec<String>>>,
    others: Dispatch,
}

impl Listener {
    fn is_notice(metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET
    }
}

impl Subscriber for Listener {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Never `always` or `never`: that would be remembered for other subscribers.
        let _ = metadata;
        Interest::sometimes()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        None
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        Self::is_notice(metadata) || self.others.enabled(metadata)
    }

    fn event(&self, event: &Event<'_>) {
        if Self::is_notice(event.metadata()) {
            event.record(&mut Hear(&mut lock(&self.heard)));
        } else {
            self.others.event(event);
        }
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.others.new_span(span)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.others.record(span, values);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.others.record_follows_from(span, follows);
    }

    fn enter(&self, span: &Id) {
        self.others.enter(span);
    }

    fn exit(&self, span: &Id) {
        self.others.exit(span);
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.others.clone_span(id)
    }

    fn try_close(&self, id: Id) -> bool {
        self.others.try_close(id)
    }
}

/// Keeps the message of a notice.
struct Hear<'h>(&'h mut Vec<String>);

impl Visit for Hear<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let kept: usize = self.0.iter().map(String::len).sum();
        if field.name() == "message" && self.0.len() < MOST_NOTICES && kept + value.len() <= MOST_BYTES {
            self.0.push(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
