//! Observers, and what emits events to them.

use std::fmt;
use std::sync::Arc;

use super::delivery::{Delivery, Sink};
use super::event::{Dropped, Event};

/// Something that wants to know what happens: see [the module](super). A closure that takes an [`Event`] is one.
///
/// It is called in a thread of its own, without a tokio runtime, one event after the other. If it panics, the panic is logged, and
/// the next event comes. If it blocks, its events wait in a queue; when that is full, events are dropped, and the next event after
/// them is [`Event::Dropped`].
///
/// To enqueue a job from an observer, keep a [`Handle`](tokio::runtime::Handle) of the program's runtime, and a client *without*
/// this observer. With a clone of the observed client, each such job would be an event again, and the client would never be dropped.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(pool: sqlx::PgPool) -> Result<(), pgjobq::ClientError> {
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use pgjobq::Client;
/// use pgjobq::observe::{Event, Observer, Outcome};
///
/// #[derive(Default)]
/// struct DeadJobs(AtomicU64);
///
/// impl Observer for DeadJobs {
///     fn on_event(&self, event: &Event) {
///         if let Event::Ended(ended) = event && ended.outcome == Outcome::Dead {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let client = Client::builder(pool).observer(DeadJobs::default()).build()?;
/// # Ok(())
/// # }
/// ```
pub trait Observer: Send + Sync + 'static {
    /// Takes note of an event.
    fn on_event(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync + 'static> Observer for F {
    fn on_event(&self, event: &Event) {
        self(event);
    }
}

/// The observers of a client. Cheap to clone.
#[derive(Clone, Default)]
pub struct Observers(Option<Arc<[Delivery<Event>]>>);

impl Observers {
    /// Starts the threads of these observers.
    pub(crate) fn start(observers: Vec<Box<dyn Observer>>) -> Self {
        if observers.is_empty() {
            return Self(None);
        }
        Self(Some(
            observers.into_iter().map(|observer| Delivery::start("pgjobq-observer", observer)).collect(),
        ))
    }

    /// Returns whether somebody listens.
    #[must_use]
    pub fn listen(&self) -> bool {
        self.0.is_some()
    }

    /// Emits the events that `make` adds to a list, if somebody listens.
    #[inline]
    pub fn emit(&self, make: impl FnOnce(&mut Vec<Event>)) {
        if let Some(observers) = &self.0 {
            let mut events = Vec::new();
            make(&mut events);
            if !events.is_empty() {
                let events: Arc<[Event]> = events.into();
                observers.iter().for_each(|observer| observer.push(&events));
            }
        }
    }

    /// Waits until every observer has seen every event that was emitted before.
    pub async fn delivered(&self) {
        for observer in self.0.iter().flat_map(|observers| observers.iter()) {
            observer.delivered().await;
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} observers", self.0.as_ref().map_or(0, |observers| observers.len()))
    }
}

impl Sink<Event> for Box<dyn Observer> {
    fn deliver(&self, event: &Event) {
        self.on_event(event);
    }

    fn dropped(&self, count: u64) {
        self.on_event(&Event::Dropped(Dropped { count }));
    }
}
