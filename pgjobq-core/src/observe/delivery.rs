//! Delivery of what happened to observers or hooks, each on a thread of its own.
//!
//! Whoever emits something never waits, and pays the same for several receivers as for one: it adds the item to a common list. When
//! the thread of a receiver wakes, it moves that list, as one batch, into the queues of all. A full queue drops, and counts. A panic of
//! a receiver is caught. A thread lingers a moment after the first item, so that a busy worker wakes it a few hundred times a second,
//! and not for each job.

use std::collections::VecDeque;
use std::mem::{replace, take};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::throttle::Throttle;
use crate::lock::lock;

/// The largest size of the items that wait for a receiver, each of about 150 bytes. A large item counts as several.
const MOST_WAITING: usize = 50_000;
/// The size of the common list at which an emitter moves it into the queues itself.
const BATCH_SIZE: usize = 512;
/// The time for which a thread waits for more items after the first one.
const LINGER: Duration = Duration::from_millis(2);

/// A receiver of the items of a [`Delivery`].
pub(crate) trait Sink<T>: Send + 'static {
    fn deliver(&self, item: &T);

    /// The number of usual items that take as much memory as this one.
    fn size(_item: &T) -> usize {
        1
    }

    /// This many items were dropped before the next one.
    fn dropped(&self, count: u64);
}

/// The way to some receivers. Their threads end, having delivered everything, when this is dropped.
pub(crate) struct Delivery<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    size: fn(&T) -> usize,
    /// One for each receiver.
    doors: Vec<Door>,
}

/// The events for which the thread of a receiver waits.
#[derive(Default)]
struct Door {
    /// The first item is there.
    arrived: Condvar,
    /// The thread must not linger.
    hurry: Condvar,
}

struct State<T> {
    /// The common list: items that are in no queue yet.
    fresh: Vec<T>,
    /// Their size.
    size: usize,
    /// One for each receiver.
    queues: Vec<Queue<T>>,
}

/// The queue of one receiver.
struct Queue<T> {
    /// Batches, each with the number of items that were dropped before it.
    waiting: VecDeque<(u64, Arc<Vec<T>>)>,
    /// The size of the items in `waiting`.
    size: usize,
    /// The number of items that were dropped since the last one that was accepted.
    dropped: u64,
    reports: Throttle,
    /// The senders that wake those who wait until everything before them has been delivered.
    flushes: Vec<oneshot::Sender<()>>,
    /// True if its thread waits for the first item.
    is_idle: bool,
    closed: bool,
}

/// Items to deliver to one receiver, and those who wait for that.
struct Next<T> {
    batches: VecDeque<(u64, Arc<Vec<T>>)>,
    dropped: u64,
    flushes: Vec<oneshot::Sender<()>>,
    closed: bool,
}

impl<T: Send + Sync + 'static> Delivery<T> {
    /// Starts the threads.
    pub(crate) fn start<S: Sink<T>>(name: &str, sinks: Vec<S>) -> Self {
        let (queues, doors) = sinks.iter().map(|_| (Queue::new(), Door::default())).unzip();
        let state = Mutex::new(State { fresh: Vec::new(), size: 0, queues });
        let shared = Arc::new(Shared { state, size: S::size, doors });
        for (place, sink) in sinks.into_iter().enumerate() {
            let of_thread = Arc::clone(&shared);
            let dispatch = tracing::dispatcher::get_default(Clone::clone);
            let run = move || tracing::dispatcher::with_default(&dispatch, || of_thread.run(place, &sink));
            if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(run) {
                tracing::error!(%error, "the thread `{name}` cannot be started: its observer receives nothing");
                lock(&shared.state).queues[place].closed = true;
            }
        }
        Self(shared)
    }

    /// Adds an item.
    pub(crate) fn push_one(&self, item: T) {
        let size = (self.0.size)(&item);
        let mut state = lock(&self.0.state);
        state.size += size;
        state.fresh.push(item);
        self.0.pushed(state);
    }

    /// Adds items.
    pub(crate) fn push(&self, mut items: Vec<T>) {
        let size: usize = items.iter().map(self.0.size).sum();
        let mut state = lock(&self.0.state);
        state.size += size;
        if state.fresh.is_empty() {
            state.fresh = items;
        } else {
            state.fresh.append(&mut items);
        }
        self.0.pushed(state);
    }

    /// Waits until everything that was pushed before has been delivered.
    pub(crate) async fn delivered(&self) {
        let mut deliveries = Vec::new();
        for queue in lock(&self.0.state).queues.iter_mut().filter(|queue| !queue.closed) {
            let (sender, delivered) = oneshot::channel();
            queue.flushes.push(sender);
            deliveries.push(delivered);
        }
        self.0.wake();
        for delivered in deliveries {
            let _ = delivered.await;
        }
    }
}

impl<T> Delivery<T> {
    /// The number of receivers.
    pub(crate) fn receivers(&self) -> usize {
        self.0.doors.len()
    }
}

impl<T> Drop for Delivery<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.distribute();
        state.queues.iter_mut().for_each(|queue| queue.closed = true);
        drop(state);
        self.0.wake();
    }
}

impl<T> Shared<T> {
    /// Wakes the threads that wait for a first item, and keeps the common list short even if all of them are blocked.
    fn pushed(&self, mut state: MutexGuard<'_, State<T>>) {
        let is_full = state.size >= BATCH_SIZE;
        if is_full {
            state.distribute();
        }
        for (queue, door) in state.queues.iter_mut().zip(&self.doors) {
            if take(&mut queue.is_idle) {
                door.arrived.notify_one();
            }
            if is_full && queue.size >= MOST_WAITING / 2 {
                door.hurry.notify_one();
            }
        }
    }

    fn wake(&self) {
        for door in &self.doors {
            door.arrived.notify_one();
            door.hurry.notify_one();
        }
    }

    /// Delivers to one receiver until its queue is closed and empty.
    fn run(&self, place: usize, sink: &impl Sink<T>) {
        let mut panics = Throttle::default();
        loop {
            let next = self.next(place);
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
    fn next(&self, place: usize) -> Next<T> {
        let (mut state, door) = (lock(&self.state), &self.doors[place]);
        while state.has_nothing_for(place) {
            state.queues[place].is_idle = true;
            state = door.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let queue = &mut state.queues[place];
        queue.is_idle = false;
        if queue.flushes.is_empty() && !queue.closed {
            state = door.hurry.wait_timeout(state, LINGER).unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut batches = state.queues[place].take();
        state.distribute();
        let queue = &mut state.queues[place];
        batches.extend(queue.take());
        Next {
            batches,
            dropped: take(&mut queue.dropped),
            flushes: take(&mut queue.flushes),
            closed: queue.closed,
        }
    }
}

impl<T> State<T> {
    fn has_nothing_for(&self, place: usize) -> bool {
        self.fresh.is_empty() && self.queues[place].has_nothing()
    }

    /// Moves the common list into the queues.
    fn distribute(&mut self) {
        if self.fresh.is_empty() {
            return;
        }
        let next = Vec::with_capacity(self.fresh.len().min(BATCH_SIZE)); // It will probably become as long.
        let (batch, size) = (Arc::new(replace(&mut self.fresh, next)), take(&mut self.size));
        self.queues.iter_mut().filter(|queue| !queue.closed).for_each(|queue| queue.add(&batch, size));
    }
}

impl<T> Queue<T> {
    fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            size: 0,
            dropped: 0,
            reports: Throttle::default(),
            flushes: Vec::new(),
            is_idle: false,
            closed: false,
        }
    }

    fn has_nothing(&self) -> bool {
        self.waiting.is_empty() && self.dropped == 0 && self.flushes.is_empty() && !self.closed
    }

    /// Adds a batch, or drops it if the queue is full.
    fn add(&mut self, batch: &Arc<Vec<T>>, size: usize) {
        let items = batch.len() as u64;
        if self.size == 0 || self.size + size <= MOST_WAITING {
            self.size += size;
            self.waiting.push_back((take(&mut self.dropped), Arc::clone(batch)));
            return;
        }
        self.dropped += items;
        if let Some(dropped) = self.reports.count(items) {
            tracing::warn!(dropped, "an observer is too slow: events are dropped");
        }
    }

    /// Takes everything that waits.
    fn take(&mut self) -> VecDeque<(u64, Arc<Vec<T>>)> {
        self.size = 0;
        take(&mut self.waiting)
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
