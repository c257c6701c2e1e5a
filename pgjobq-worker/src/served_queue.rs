//! A queue that this worker serves, and its slots.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use pgjobq_core::Policy;
use pgjobq_core::worker_api::QueueId;
use tokio::sync::Notify;

/// A queue that this worker serves. Its slots limit how many of its jobs run here at a time.
#[derive(Debug)]
pub(crate) struct ServedQueue {
    /// The id of the queue's row. It changes if the queue is recreated.
    id: AtomicI32,
    pub(crate) name: Arc<str>,
    /// The number of slots.
    pub(crate) limit: usize,
    taken: AtomicUsize,
    /// Notified when slots become free.
    freed: Arc<Notify>,
    /// The retention of completed jobs whose kind sets none, in microseconds.
    retention: AtomicU64,
    /// The attempts that ended since the rates were last recorded.
    completed: AtomicI32,
    failed: AtomicI32,
}

/// Slots that are taken. They become free when this is dropped, also if the task of an attempt is.
#[derive(Debug)]
pub(crate) struct Slots {
    queue: Arc<ServedQueue>,
    count: usize,
}

/// The attempts of one queue that ended since the rates were last recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rates {
    pub(crate) completed: i32,
    pub(crate) failed: i32,
}

impl pgjobq_core::worker_api::QueueSlots for ServedQueue {
    fn all_taken(&self) -> Option<usize> {
        (self.taken.load(Ordering::Acquire) >= self.limit).then_some(self.limit)
    }
}

impl ServedQueue {
    pub(crate) fn new(id: QueueId, name: &str, limit: usize, freed: Arc<Notify>) -> Self {
        Self {
            id: AtomicI32::new(id.0),
            name: name.into(),
            limit,
            taken: AtomicUsize::new(0),
            freed,
            retention: AtomicU64::new(0),
            completed: AtomicI32::new(0),
            failed: AtomicI32::new(0),
        }
    }

    pub(crate) fn id(&self) -> QueueId {
        QueueId(self.id.load(Ordering::Acquire))
    }

    pub(crate) fn set_id(&self, id: QueueId) {
        self.id.store(id.0, Ordering::Release);
    }

    /// Returns how long a completed job of this kind is kept here, if at all.
    pub(crate) fn retention(&self, policy: &Policy) -> Option<Duration> {
        let of_queue = || Duration::from_micros(self.retention.load(Ordering::Relaxed));
        Some(policy.retain.unwrap_or_else(of_queue)).filter(|retention| !retention.is_zero())
    }

    pub(crate) fn set_retention(&self, retention: Duration) {
        self.retention.store(u64::try_from(retention.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Counts an ended attempt.
    pub(crate) fn count_ended(&self, failed: bool) {
        let count = if failed { &self.failed } else { &self.completed };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes the counts of ended attempts, which begin anew.
    pub(crate) fn take_rates(&self) -> Rates {
        let take = |count: &AtomicI32| count.swap(0, Ordering::Relaxed);
        Rates { completed: take(&self.completed), failed: take(&self.failed) }
    }

    /// Adds counts that could not be recorded back to the current ones.
    pub(crate) fn add_back(&self, rates: Rates) {
        self.completed.fetch_add(rates.completed, Ordering::Relaxed);
        self.failed.fetch_add(rates.failed, Ordering::Relaxed);
    }

    /// Takes at most `most` free slots. Only the claim loop takes slots, so no other task takes them in between.
    pub(crate) fn take_slots(self: &Arc<Self>, most: usize) -> Option<Slots> {
        let count = self.count_free().min(most);
        self.taken.fetch_add(count, Ordering::AcqRel);
        (count > 0).then(|| Slots { queue: Arc::clone(self), count })
    }

    pub(crate) fn has_free(&self) -> bool {
        self.count_free() > 0
    }

    pub(crate) fn count_free(&self) -> usize {
        self.limit.saturating_sub(self.taken.load(Ordering::Acquire))
    }
}

impl Rates {
    pub(crate) fn is_zero(self) -> bool {
        self.completed == 0 && self.failed == 0
    }
}

impl Slots {
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn queue(&self) -> &Arc<ServedQueue> {
        &self.queue
    }

    /// Splits off one slot; `None` if none is left.
    pub(crate) fn split_one(&mut self) -> Option<Self> {
        self.count = self.count.checked_sub(1)?;
        Some(Self { queue: Arc::clone(&self.queue), count: 1 })
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        if self.count > 0 {
            self.queue.taken.fetch_sub(self.count, Ordering::AcqRel);
            self.queue.freed.notify_one();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn queue(limit: usize) -> Arc<ServedQueue> {
        Arc::new(ServedQueue::new(QueueId(1), "default", limit, Arc::default()))
    }

    #[test]
    fn dropped_slots_become_free() {
        let queue = queue(3);
        let mut slots = queue.take_slots(10).unwrap();
        assert!(slots.count() == 3 && queue.take_slots(1).is_none());
        let one = slots.split_one().unwrap();
        drop(slots);
        assert_eq!(queue.count_free(), 2);
        drop(one);
        assert_eq!(queue.count_free(), 3);
    }

    #[test]
    fn unrecorded_rates_are_added_back() {
        let queue = queue(1);
        queue.count_ended(false);
        queue.count_ended(true);
        let rates = queue.take_rates();
        queue.count_ended(true);
        queue.add_back(rates);
        assert_eq!(queue.take_rates(), Rates { completed: 1, failed: 2 });
        assert!(queue.take_rates().is_zero());
    }
}
