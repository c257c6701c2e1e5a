//! Observers, and what emits events to them.

use super::delivery::Sink;
use super::event::{Dropped, Event};
use super::receivers::Receivers;

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

/// The observers of a client.
pub type Observers = Receivers<Event>;

impl Sink<Event> for Box<dyn Observer> {
    fn deliver(&self, event: &Event) {
        self.on_event(event);
    }

    fn dropped(&self, count: u64) {
        self.on_event(&Event::Dropped(Dropped { count }));
    }
}
