//! The slots of a queue that are taken: by running attempts, by calls that gather their jobs, and by claims in flight.

use std::sync::Arc;
use std::time::Instant;

use crate::claim::gathering::Joined;
use crate::claim::prefetch::PrefetchedJob;
use crate::served_queue::{Occupancy, ServedQueue, Turn};

/// Slots that are taken, and room for jobs beyond them. Both become free when this is dropped, also if the task of an attempt is.
#[derive(Debug)]
pub(crate) struct Slots {
    queue: Arc<ServedQueue>,
    count: usize,
    /// The number of jobs that a claim may prefetch beyond these slots.
    ahead: usize,
}

impl Slots {
    /// Takes at most `most` free slots, and room for `ahead` jobs beyond them.
    pub(crate) fn take(queue: &Arc<ServedQueue>, most: usize, ahead: usize) -> Self {
        let mut occupancy = queue.occupancy();
        let count = occupancy.count_free().min(most);
        occupancy.taken += count;
        occupancy.prefetch.expect(ahead);
        drop(occupancy);
        Self { queue: Arc::clone(queue), count, ahead }
    }

    /// No slot: for the attempt of a job whose call has the slot.
    pub(crate) fn none(queue: &Arc<ServedQueue>) -> Self {
        Self { queue: Arc::clone(queue), count: 0, ahead: 0 }
    }

    /// The slot of a call that has gathered its jobs.
    fn of_call(queue: &Arc<ServedQueue>) -> Self {
        Self { queue: Arc::clone(queue), count: 1, ahead: 0 }
    }

    /// Takes the next call that has waited for long enough, with its slot.
    pub(crate) fn take_due_call(queue: &Arc<ServedQueue>, now: Instant) -> Option<(Self, Turn)> {
        let jobs = queue.occupancy().gathering.take_due(now)?;
        Some((Self::of_call(queue), Turn::Call(jobs)))
    }

    /// Leaves one slot to a call that gathers its jobs.
    fn leave_to_call(mut self) {
        self.count = 0;
    }

    pub(crate) fn queue(&self) -> &Arc<ServedQueue> {
        &self.queue
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Returns the number of jobs that a claim may bring.
    pub(crate) fn jobs(&self) -> usize {
        self.count + self.ahead
    }

    /// Splits off one slot; `None` if none is left.
    pub(crate) fn split_one(&mut self) -> Option<Self> {
        self.count = self.count.checked_sub(1)?;
        Some(Self { queue: Arc::clone(&self.queue), count: 1, ahead: 0 })
    }

    /// Adds claimed jobs to those that wait. Returns what begins in as many slots as there are, in the order of the jobs, each with its
    /// slot.
    pub(crate) fn begin(mut self, jobs: impl IntoIterator<Item = PrefetchedJob>) -> Vec<(Self, Turn)> {
        let queue = Arc::clone(&self.queue);
        let mut occupancy = queue.occupancy();
        let mut begun = Vec::new();
        for job in jobs {
            match occupancy.gathering.join(job) {
                Joined::Waits => {}
                Joined::Complete(jobs) => begun.push((Self::of_call(&queue), Turn::Call(jobs))),
                Joined::NoCall(job) => occupancy.prefetch.push(job),
            }
        }
        while !occupancy.prefetch.is_empty()
            && self.has_one(&mut occupancy)
            && let (Some(slot), Some(job)) = (self.split_one(), occupancy.prefetch.pop())
        {
            match occupancy.use_slot(job) {
                Some(turn) => begun.push((slot, turn)),
                None => slot.leave_to_call(),
            }
        }
        while let Some(call) = occupancy.hasten_call() {
            begun.push((Self::of_call(&queue), call));
        }
        begun
    }

    /// Hands the slot of an ended attempt or call to the next job that waits. Frees it if none does, or if the queue has fewer slots now.
    pub(crate) fn pass_on(mut self) -> Option<(Self, Turn)> {
        let queue = Arc::clone(&self.queue);
        let mut occupancy = queue.occupancy();
        occupancy.prefetch.pace.ended();
        let is_beyond = occupancy.taken > occupancy.limit;
        let next = if is_beyond { None } else { occupancy.prefetch.pop() };
        let Some(job) = next else {
            occupancy.taken -= self.count;
            self.queue.note_room(&mut occupancy);
            drop(occupancy);
            self.count = 0;
            return None;
        };
        let turn = occupancy.use_slot(job);
        self.queue.note_room(&mut occupancy);
        if let Some(turn) = turn {
            drop(occupancy);
            return Some((self, turn));
        }
        self.leave_to_call();
        queue.wake_claims(); // It waits until the first call is due, and this may be another one now.
        let call = occupancy.hasten_call()?;
        Some((Self::of_call(&queue), call))
    }

    /// Returns whether it has a slot. If none is left, it takes one that has become free.
    fn has_one(&mut self, occupancy: &mut Occupancy) -> bool {
        if self.count == 0 && occupancy.count_free() > 0 {
            (occupancy.taken, self.count) = (occupancy.taken + 1, 1);
        }
        self.count > 0
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        if self.jobs() > 0 {
            let mut occupancy = self.queue.occupancy();
            occupancy.taken -= self.count;
            occupancy.prefetch.no_longer_expect(self.ahead);
            self.queue.note_room(&mut occupancy);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
