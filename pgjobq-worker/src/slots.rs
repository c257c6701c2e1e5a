//! The slots of a queue that are taken: by running attempts, and by claims in flight.

use std::sync::Arc;

use crate::claim::prefetch::PrefetchedJob;
use crate::served_queue::{Occupancy, ServedQueue};

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

    /// Adds claimed jobs to those that wait. Returns as many of these as there are slots, in their order, each with its slot.
    pub(crate) fn begin(
        mut self,
        jobs: impl IntoIterator<Item = PrefetchedJob>,
    ) -> Vec<(Self, PrefetchedJob)> {
        let queue = Arc::clone(&self.queue);
        let mut occupancy = queue.occupancy();
        jobs.into_iter().for_each(|job| occupancy.prefetch.push(job));
        let mut begun = Vec::new();
        while !occupancy.prefetch.is_empty()
            && self.has_one(&mut occupancy)
            && let (Some(slot), Some(job)) = (self.split_one(), occupancy.prefetch.pop())
        {
            begun.push((slot, job));
        }
        begun
    }

    /// Hands the slot of an ended attempt to the next job that waits. Frees it if none does, or if the queue has fewer slots now.
    pub(crate) fn pass_on(mut self) -> Option<(Self, PrefetchedJob)> {
        let mut occupancy = self.queue.occupancy();
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
        self.queue.note_room(&mut occupancy);
        drop(occupancy);
        Some((self, job))
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
mod tests;
