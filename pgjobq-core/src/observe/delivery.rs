//! Delivery of what happened to one observer or hook, on a thread of its own.
//!
//! Whoever emits something never waits: a full queue drops, and counts. A panic of the receiver is caught. The thread lingers a
//! moment after the first item, so that a busy worker wakes it a few hundred times a second, and not for each job.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::throttle::Throttle;
use crate::lock::lock;

/// The largest number of items that wait for a receiver, each of about 150 bytes. A large item counts as several.
const MOST_WAITING: usize = 50_000;
/// The time for which the thread waits for more items after the first one.
const LINGER: Duration = Duration::from_millis(2);

/// The receiver of the items of a [`Delivery`].
pub(crate) trait Sink<T>: Send + 'static {
    fn deliver(&self, item: &T);

    /// The number of usual items that take as much memory as this one.
    fn size(_item: &T) -> usize {
        1
    }

    /// This many items were dropped before the next one.
    fn dropped(&self, count: u64);
}

/// The way to one receiver. Its thread ends, having delivered everything, when this is dropped.
pub(crate) struct Delivery<T> {
    shared: Arc<Shared<T>>,
    size: fn(&T) -> usize,
}

struct Shared<T> {
    queue: Mutex<Queue<T>>,
    /// Wakes the thread for the first item.
    arrived: Condvar,
    /// Ends the thread's lingering.
    hurry: Condvar,
}

struct Queue<T> {
    /// Batches, each with the number of items that were dropped before it.
    waiting: VecDeque<(u64, Arc<[T]>)>,
    /// The size of the items in `waiting`.
    size: usize,
    /// The number of items that were dropped since the last one that was accepted.
    dropped: u64,
    reports: Throttle,
    /// The senders that wake those who wait until everything before them has been delivered.
    flushes: Vec<oneshot::Sender<()>>,
    closed: bool,
}

/// Items to deliver, and those who wait for that.
struct Next<T> {
    batches: VecDeque<(u64, Arc<[T]>)>,
    dropped: u64,
    flushes: Vec<oneshot::Sender<()>>,
    closed: bool,
}

impl<T: Send + Sync + 'static> Delivery<T> {
    /// Starts the thread.
    pub(crate) fn start<S: Sink<T>>(name: &str, sink: S) -> Self {
        let queue = Queue {
            waiting: VecDeque::new(),
            size: 0,
            dropped: 0,
            reports: Throttle::default(),
            flushes: Vec::new(),
            closed: false,
        };
        let (arrived, hurry) = (Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { queue: Mutex::new(queue), arrived, hurry });
        let of_thread = Arc::clone(&shared);
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let run = move || tracing::dispatcher::with_default(&dispatch, || of_thread.run(&sink));
        if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(run) {
            tracing::error!(%error, "the thread `{name}` cannot be started: its observer receives nothing");
            lock(&shared.queue).closed = true;
        }
        Self { shared, size: S::size }
    }

    /// Adds a batch to the queue, or drops it if the queue is full.
    pub(crate) fn push(&self, batch: &Arc<[T]>) {
        let size: usize = batch.iter().map(self.size).sum();
        let mut queue = lock(&self.shared.queue);
        if queue.closed {
            return;
        }
        if queue.size > 0 && queue.size + size > MOST_WAITING {
            queue.dropped += batch.len() as u64;
            if let Some(dropped) = queue.reports.count(batch.len() as u64) {
                tracing::warn!(dropped, "an observer is too slow: events are dropped");
            }
            return;
        }
        let is_first = queue.waiting.is_empty();
        let dropped = std::mem::take(&mut queue.dropped);
        queue.size += size;
        queue.waiting.push_back((dropped, Arc::clone(batch)));
        let is_half = queue.size >= MOST_WAITING / 2;
        drop(queue);
        if is_first {
            self.shared.arrived.notify_one();
        }
        if is_half {
            self.shared.hurry.notify_one();
        }
    }

    /// Waits until everything that was pushed before has been delivered.
    pub(crate) async fn delivered(&self) {
        let (sender, delivered) = oneshot::channel();
        {
            let mut queue = lock(&self.shared.queue);
            if queue.closed {
                return;
            }
            queue.flushes.push(sender);
        }
        self.shared.wake();
        let _ = delivered.await;
    }
}

impl<T> Drop for Delivery<T> {
    fn drop(&mut self) {
        lock(&self.shared.queue).closed = true;
        self.shared.wake();
    }
}

impl<T> Shared<T> {
    fn wake(&self) {
        self.arrived.notify_one();
        self.hurry.notify_one();
    }

    /// Delivers until the queue is closed and empty.
    fn run(&self, sink: &impl Sink<T>) {
        let mut panics = Throttle::default();
        loop {
            let next = self.next();
            for (dropped, batch) in next.batches {
                report_dropped(sink, dropped, &mut panics);
                batch.iter().for_each(|item| contain(&mut panics, || sink.deliver(item)));
            }
            report_dropped(sink, next.dropped, &mut panics);
            next.flushes.into_iter().for_each(|flush| _ = flush.send(()));
            if next.closed {
                return;
            }
        }
    }

    /// Waits for items, or for someone who waits for them.
    fn next(&self) -> Next<T> {
        let mut queue = lock(&self.queue);
        while queue.has_nothing() {
            queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if queue.flushes.is_empty() && !queue.closed {
            queue = self.hurry.wait_timeout(queue, LINGER).unwrap_or_else(PoisonError::into_inner).0;
        }
        queue.size = 0;
        Next {
            batches: std::mem::take(&mut queue.waiting),
            dropped: std::mem::take(&mut queue.dropped),
            flushes: std::mem::take(&mut queue.flushes),
            closed: queue.closed,
        }
    }
}

impl<T> Queue<T> {
    fn has_nothing(&self) -> bool {
        self.waiting.is_empty() && self.dropped == 0 && self.flushes.is_empty() && !self.closed
    }
}

fn report_dropped<T>(sink: &impl Sink<T>, dropped: u64, panics: &mut Throttle) {
    if dropped > 0 {
        contain(panics, || sink.dropped(dropped));
    }
}

/// Calls the receiver, and catches its panic.
fn contain(panics: &mut Throttle, deliver: impl FnOnce()) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(deliver)) else { return };
    if let Some(panics) = panics.count(1) {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        tracing::error!(panics, panic = text, "an observer panicked; it receives the next event");
    }
    // A payload that panics when it is dropped must not end the thread.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(second);
    }
}

#[cfg(test)]
mod tests;
