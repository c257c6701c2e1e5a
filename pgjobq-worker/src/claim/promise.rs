//! The promise of a worker to its client, or to its own promoter: it starts new jobs, or notifies other workers of them.
//!
//! The client wakes a worker of its own process without the database, and then it notifies no other worker. Nor does the worker that
//! has promoted jobs. It keeps the promise if a claim that it sends after the wake-up reaches the end of the line. In every other case
//! the claim loop notifies others: no slot is free, the claim fails or is full, or the worker drains.

use std::collections::BTreeSet;

use pgjobq_core::worker_api::{LocalWorker, NewJobs, QueueId};

use crate::runtime::Runtime;
use crate::served_queue::ServedQueue;

/// The promise for one lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Promise {
    #[default]
    None,
    /// No claim was sent since it was made.
    Made,
    /// A claim is in flight that was sent since then.
    Claiming,
}

impl Promise {
    pub(super) fn make(&mut self) {
        *self = Self::Made;
    }

    pub(super) fn claim_sent(&mut self) {
        if *self == Self::Made {
            *self = Self::Claiming;
        }
    }

    /// Notes the end of a claim, and whether it has reached the end of the line.
    pub(super) fn claim_ended(&mut self, at_end_of_line: bool) {
        if *self == Self::Claiming {
            *self = if at_end_of_line { Self::None } else { Self::Made };
        }
    }

    /// Gives up a promise for which no claim is in flight. Returns whether there was one.
    pub(super) fn give_up(&mut self) -> bool {
        let is_made = *self == Self::Made;
        if is_made {
            *self = Self::None;
        }
        is_made
    }
}

impl LocalWorker for Runtime {
    fn wake(&self, new: &NewJobs, idle: &BTreeSet<QueueId>) -> Option<QueueId> {
        let queue = self.queues.iter().find(|queue| *queue.name == new.queue)?;
        if !can_start(self, queue, new) {
            return None;
        }
        let id = queue.id();
        if idle.contains(&id) {
            return self.promise_to_start(id).then_some(id);
        }
        self.arrivals.note(&[id]);
        self.events.claim.notify_one();
        (!self.stages.drain.is_cancelled()).then_some(id)
    }
}

impl Runtime {
    /// Wakes the claim loop for new jobs in this queue, of which it has to notify others if it cannot start them. Returns false if
    /// the loop may have ended, or if the jobs may not be for this worker.
    pub(crate) fn promise_to_start(&self, queue: QueueId) -> bool {
        if self.store.has_filter() {
            self.arrivals.note(&[queue]);
            self.events.claim.notify_one();
            return false;
        }
        self.arrivals.note_promised(queue);
        self.events.claim.notify_one();
        // Looked at last: the claim loop takes the arrivals once more after the drain has begun.
        !self.stages.drain.is_cancelled()
    }
}

/// Returns whether the worker seems able to start these jobs now. With several shards it would have to look at each of them, and is
/// notified like the others. So is a worker with a filter, which may not accept them.
fn can_start(runtime: &Runtime, queue: &ServedQueue, new: &NewJobs) -> bool {
    let knows = |kind: &&&str| {
        runtime.kinds.can_run(kind)
            && (!runtime.kinds.transactional.contains(*kind) || runtime.client.has_places())
    };
    leaves_half(queue.count_free(), new.count, queue.limit())
        && new.kinds.iter().filter(knows).count() == new.kinds.len()
        && runtime.store.shards().len() == 1
        && !runtime.store.has_filter()
        && runtime.liveness.may_claim(runtime.config.lease)
        && !runtime.is_behind()
}

/// Returns whether at most half of the slots, rounded up, are taken after these jobs have begun: workers of other processes share
/// the jobs of a process that enqueues many.
fn leaves_half(free: usize, new: usize, slots: usize) -> bool {
    free.checked_sub(new).is_some_and(|left| left >= slots / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_slots_is_filled_without_a_notification() {
        let filled =
            |slots: usize| (0..=slots).take_while(|taken| leaves_half(slots - taken, 1, slots)).count();
        assert_eq!([1, 2, 3, 4, 10, 100].map(filled), [1, 1, 2, 2, 5, 50]);
        assert!(leaves_half(10, 5, 10) && !leaves_half(10, 6, 10), "a batch");
        assert!(!leaves_half(1, 2, 2));
    }

    #[test]
    fn promise_is_kept_by_a_claim_sent_after_it() {
        let mut promise = Promise::default();
        promise.claim_sent();
        promise.make(); // While an earlier claim is in flight.
        promise.claim_ended(true);
        assert_eq!(promise, Promise::Made);
        promise.claim_sent();
        promise.claim_ended(true);
        assert_eq!((promise, promise.give_up()), (Promise::None, false));
    }

    #[test]
    fn promise_is_given_up_after_a_full_claim_unless_another_is_sent() {
        let mut promise = Promise::Made;
        promise.claim_sent();
        assert!(!promise.give_up(), "a claim is in flight");
        promise.claim_ended(false);
        assert!(promise.give_up() && !promise.give_up());
    }
}
