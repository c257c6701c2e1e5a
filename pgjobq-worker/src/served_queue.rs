//! A queue that this worker serves.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pgjobq_core::worker_api::QueueId;
use pgjobq_core::{JobId, Policy};
use tokio::sync::Notify;

use crate::claim::gathering::{Gathering, Joined};
use crate::claim::prefetch::{Prefetch, PrefetchedJob};

/// A queue that this worker serves. Its slots limit how many of its jobs run here at a time.
#[derive(Debug)]
pub(crate) struct ServedQueue {
    /// The id of the queue's row. It changes if the queue is recreated.
    id: AtomicI32,
    pub(crate) name: Arc<str>,
    /// The number of slots that the builder gave it. An operator may have set another.
    pub(crate) limit_by_code: usize,
    occupancy: Mutex<Occupancy>,
    /// Notified when there is room for jobs.
    freed: Arc<Notify>,
    /// The calls for several jobs that run.
    calls: AtomicUsize,
    /// The retention of completed jobs whose kind sets none, in microseconds.
    retention: AtomicU64,
    /// True if its waiting jobs move up with time.
    ages: AtomicBool,
    /// The attempts that ended since the rates were last recorded.
    completed: AtomicI32,
    failed: AtomicI32,
}

/// The slots of a queue that are taken, and the jobs that wait for one. Both are under one lock, so that no job waits beside a free
/// slot.
#[derive(Debug)]
pub(crate) struct Occupancy {
    /// The number of slots. It may be lowered below the number of those that are taken.
    pub(crate) limit: usize,
    pub(crate) taken: usize,
    pub(crate) prefetch: Prefetch,
    /// The calls that have a slot, and gather their jobs.
    pub(crate) gathering: Gathering,
    /// True if the claim loop has found no room, and must be woken when there is some.
    wakes: bool,
}

/// What begins in one slot.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // It is taken apart at once.
pub(crate) enum Turn {
    Job(PrefetchedJob),
    /// One call for these jobs of a kind with `batch`: the jobs that it gathered and that were not cancelled meanwhile.
    Call(Vec<PrefetchedJob>),
}

/// The number of jobs that a claim may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// The number of free slots.
    pub(crate) slots: usize,
    /// The number of jobs to prefetch beyond them.
    pub(crate) ahead: usize,
}

impl Room {
    fn is_none(self) -> bool {
        self == Self { slots: 0, ahead: 0 }
    }
}

/// The attempts of one queue that ended since the rates were last recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rates {
    pub(crate) completed: i32,
    pub(crate) failed: i32,
}

impl pgjobq_core::worker_api::QueueSlots for ServedQueue {
    fn all_taken(&self) -> Option<usize> {
        let occupancy = self.occupancy();
        (occupancy.count_free() == 0).then_some(occupancy.limit)
    }
}

impl ServedQueue {
    pub(crate) fn new(id: QueueId, name: &str, limit: usize, freed: Arc<Notify>) -> Self {
        Self {
            id: AtomicI32::new(id.0),
            name: name.into(),
            limit_by_code: limit,
            occupancy: Mutex::new(Occupancy {
                limit,
                taken: 0,
                prefetch: Prefetch::new(Instant::now()),
                gathering: Gathering::default(),
                wakes: false,
            }),
            freed,
            calls: AtomicUsize::new(0),
            retention: AtomicU64::new(0),
            ages: AtomicBool::new(false),
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

    pub(crate) fn ages(&self) -> bool {
        self.ages.load(Ordering::Relaxed)
    }

    /// Sets whether its waiting jobs move up with time. Returns true if they do now, and did not before.
    pub(crate) fn set_ages(&self, ages: bool) -> bool {
        !self.ages.swap(ages, Ordering::Relaxed) && ages
    }

    /// Notes that a call for several jobs runs, until the guard is dropped.
    pub(crate) fn begin_call(self: &Arc<Self>) -> RunningCall {
        self.calls.fetch_add(1, Ordering::Relaxed);
        RunningCall(Arc::clone(self))
    }

    /// Returns the number of calls for several jobs that have a slot: they run, or gather their jobs.
    pub(crate) fn count_calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed) + self.occupancy().gathering.count()
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

    /// Locks the slots.
    pub(crate) fn occupancy(&self) -> MutexGuard<'_, Occupancy> {
        self.occupancy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of slots.
    pub(crate) fn limit(&self) -> usize {
        self.occupancy().limit
    }

    /// Sets the number of slots. If they become fewer, running jobs go on.
    pub(crate) fn set_limit(&self, limit: usize) {
        let mut occupancy = self.occupancy();
        occupancy.limit = limit;
        self.note_room(&mut occupancy);
    }

    pub(crate) fn count_free(&self) -> usize {
        self.occupancy().count_free()
    }

    /// Returns the number of jobs that a claim may ask for now. If that is none, the claim loop is woken when there is room.
    pub(crate) fn room(&self, now: Instant) -> Room {
        let mut occupancy = self.occupancy();
        let slots = occupancy.limit;
        let ahead = occupancy.prefetch.room(slots, now) + occupancy.room_in_calls();
        self.room_or_wake(&mut occupancy, ahead)
    }

    /// The same for a claim that prefetches nothing.
    pub(crate) fn free_slots(&self) -> Room {
        self.room_or_wake(&mut self.occupancy(), 0)
    }

    pub(crate) fn has_room(&self, now: Instant) -> bool {
        !self.room(now).is_none()
    }

    /// Requests the wake-up under the same lock under which it finds no room: no slot becomes free in between.
    fn room_or_wake(&self, occupancy: &mut Occupancy, ahead: usize) -> Room {
        let room = Room { slots: occupancy.count_free(), ahead };
        occupancy.wakes |= room.is_none();
        room
    }

    /// Wakes the claim loop.
    pub(crate) fn wake_claims(&self) {
        self.freed.notify_one();
    }

    /// Wakes the claim loop, if it has found no room and there is some.
    pub(crate) fn note_room(&self, occupancy: &mut Occupancy) {
        let has_room =
            occupancy.count_free() > 0 || occupancy.prefetch.has_room() || occupancy.room_in_calls() > 0;
        if has_room && std::mem::take(&mut occupancy.wakes) {
            self.freed.notify_one();
        }
    }
}

impl Occupancy {
    pub(crate) fn count_free(&self) -> usize {
        self.limit.saturating_sub(self.taken)
    }

    /// Returns the number of jobs that calls could gather beyond the free slots, without those that claims in flight may bring.
    fn room_in_calls(&self) -> usize {
        self.gathering.room(self.count_free()).saturating_sub(self.prefetch.expected())
    }

    /// Uses a slot for the next job that waits. Returns what begins in it, unless a call has it now, which gathers more jobs.
    pub(crate) fn use_slot(&mut self, job: PrefetchedJob) -> Option<Turn> {
        match self.gathering.open(job, &mut self.prefetch) {
            Joined::Waits => None,
            Joined::Complete(jobs) => Some(Turn::Call(jobs)),
            Joined::NoCall(job) => Some(Turn::Job(job)),
        }
    }

    /// Takes a call that begins before its time, if jobs wait for a slot, and more than half of the slots only gather.
    pub(crate) fn hasten_call(&mut self) -> Option<Turn> {
        let hastens = !self.prefetch.is_empty() && self.gathering.count() > self.limit / 2;
        hastens.then(|| self.gathering.take_first()).flatten().map(Turn::Call)
    }

    /// Takes every job that has not begun, and frees the slots of calls that gather.
    pub(crate) fn take_waiting(&mut self) -> Vec<PrefetchedJob> {
        let mut waiting = self.prefetch.take_all();
        while let Some(jobs) = self.gathering.take_first() {
            self.taken -= 1;
            waiting.extend(jobs);
        }
        waiting
    }

    /// Takes this job, if it has not begun.
    pub(crate) fn remove(&mut self, id: JobId) -> Option<PrefetchedJob> {
        self.prefetch.remove(id).or_else(|| self.gathering.remove(id))
    }

    /// Notes that a claim brought a job that must not wait in the worker.
    pub(crate) fn met_unprefetchable(&mut self, now: Instant) {
        self.prefetch.pace.met_unprefetchable(now);
        self.gathering.met_unprefetchable();
    }

    /// Takes the jobs that wait for a slot, because one of them did not get one in time.
    pub(crate) fn take_overdue(&mut self, now: Instant) -> Vec<PrefetchedJob> {
        self.gathering.was_misjudged();
        self.prefetch.take_overdue(now)
    }
}

/// A call for several jobs that runs.
#[derive(Debug)]
pub(crate) struct RunningCall(Arc<ServedQueue>);

impl Drop for RunningCall {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Rates {
    pub(crate) fn is_zero(self) -> bool {
        self.completed == 0 && self.failed == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unrecorded_rates_are_added_back() {
        let queue = ServedQueue::new(QueueId(1), "default", 1, Arc::default());
        queue.count_ended(false);
        queue.count_ended(true);
        let rates = queue.take_rates();
        queue.count_ended(true);
        queue.add_back(rates);
        assert_eq!(queue.take_rates(), Rates { completed: 1, failed: 2 });
        assert!(queue.take_rates().is_zero());
    }
}
