//! The calls of one queue that gather their jobs: jobs of a kind with `batch`, until these are enough, or the first has waited for long
//! enough.
//!
//! A call takes its slot with its first job, so that none of its jobs has to wait for one when the call begins. Claims may bring jobs
//! for the room that such calls have, beyond the free slots.

use std::collections::HashMap;
use std::time::Instant;

use pgjobq_core::JobId;
use pgjobq_core::worker_api::CLAIM_BYTES;

use super::portion::CLAIM_BATCH_SIZE;
use super::prefetch::{Prefetch, PrefetchedJob};

/// The calls of one queue that gather their jobs. Each has a slot.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    calls: HashMap<Group, GatheringCall>,
    /// The number of claimed jobs with `batch` since the last job without: as many may come beyond the free slots. So a queue with few
    /// other jobs fills its calls, and a claim brings few others that would have to wait for a slot.
    in_a_row: usize,
    /// The number of jobs with `batch` that must come before they are counted again.
    uncounted: usize,
    /// The size of a call of the last such job.
    call_size: usize,
}

/// The jobs that may share a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Group {
    kind: &'static str,
    /// The key, if all jobs of a call have the same.
    key: Option<String>,
}

/// One call.
#[derive(Debug)]
struct GatheringCall {
    jobs: Vec<PrefetchedJob>,
    size: usize,
    /// The size of the jobs' arguments.
    bytes: usize,
    due: Instant,
}

/// What became of a job that was to join a call.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // It is taken apart at once.
pub(crate) enum Joined {
    /// Its call waits for more.
    Waits,
    /// Its call has gathered enough, and is to begin in the slot that it has.
    Complete(Vec<PrefetchedJob>),
    /// There is no call for it.
    NoCall(PrefetchedJob),
}

impl Gathering {
    /// Adds a claimed job to the call that gathers jobs like it, if there is one.
    pub(crate) fn join(&mut self, job: PrefetchedJob) -> Joined {
        let Some(group) = Group::of(&job) else {
            self.in_a_row = 0;
            return Joined::NoCall(job);
        };
        match self.uncounted.checked_sub(1) {
            Some(fewer) => self.uncounted = fewer,
            None => self.in_a_row = (self.in_a_row + 1).min(CLAIM_BATCH_SIZE),
        }
        self.call_size = call_size(&job);
        let Some(call) = self.calls.get_mut(&group) else { return Joined::NoCall(job) };
        call.push(job);
        self.unless_complete(&group)
    }

    /// Begins to gather, with this job and those that wait in the worker and are like it. The call has the slot of the job.
    pub(crate) fn open(&mut self, job: PrefetchedJob, waiting: &mut Prefetch) -> Joined {
        let (Some(group), Some(kind)) = (Group::of(&job), job.batch) else { return Joined::NoCall(job) };
        let (jobs, size, due) = (Vec::new(), call_size(&job), Instant::now() + kind.policy.within);
        let mut call = GatheringCall { jobs, size, bytes: 0, due };
        call.push(job);
        let mut room = size - 1;
        let joins = |job: &PrefetchedJob| {
            let joins = room > 0 && Group::of(job).as_ref() == Some(&group);
            room -= usize::from(joins);
            joins
        };
        waiting.take_if(joins).into_iter().for_each(|job| call.push(job));
        self.calls.insert(group.clone(), call);
        self.unless_complete(&group)
    }

    fn unless_complete(&mut self, group: &Group) -> Joined {
        match self.calls.get(group) {
            Some(call) if call.is_complete() => Joined::Complete(self.take(group)),
            _ => Joined::Waits,
        }
    }

    /// Takes the jobs of the call that has waited for the longest time.
    pub(crate) fn take_first(&mut self) -> Option<Vec<PrefetchedJob>> {
        let (group, _) = self.calls.iter().min_by_key(|(_, call)| call.due)?;
        let group = group.clone();
        Some(self.take(&group))
    }

    /// Takes the jobs of the next call that has waited for long enough.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Vec<PrefetchedJob>> {
        self.due().filter(|due| *due <= now)?;
        self.take_first()
    }

    /// Takes this job, if a call waits with it. The call goes on to wait, even if it has no other job.
    pub(crate) fn remove(&mut self, id: JobId) -> Option<PrefetchedJob> {
        self.calls.values_mut().find_map(|call| call.remove(id))
    }

    /// Returns when the next call is to begin.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.calls.values().map(|call| call.due).min()
    }

    /// The number of calls, and of their slots.
    pub(crate) fn count(&self) -> usize {
        self.calls.len()
    }

    /// Returns the number of jobs that a claim may bring beyond the free slots, of which each may take a call.
    pub(crate) fn room(&self, free_slots: usize) -> usize {
        if self.in_a_row == 0 {
            return 0;
        }
        let in_calls: usize = self.calls.values().map(|call| call.size - call.jobs.len()).sum();
        let in_slots = free_slots.saturating_mul(self.call_size.saturating_sub(1));
        in_calls.saturating_add(in_slots).min(self.in_a_row)
    }

    /// Notes that a claim brought a job that must not wait in the worker. Without a slot it goes back to the end of its line, and if it
    /// counts towards a rate, in vain. So claims bring as many jobs as slots are free, until many with `batch` have come.
    pub(crate) fn met_unprefetchable(&mut self) {
        (self.in_a_row, self.uncounted) = (0, CLAIM_BATCH_SIZE);
    }

    /// Notes that jobs had to wait for a slot for too long.
    pub(crate) fn was_misjudged(&mut self) {
        self.in_a_row = 0;
    }

    fn take(&mut self, group: &Group) -> Vec<PrefetchedJob> {
        self.calls.remove(group).map(|call| call.jobs).unwrap_or_default()
    }
}

impl Group {
    /// Returns the group of a job; `None` if each job of its kind has a call of its own.
    fn of(job: &PrefetchedJob) -> Option<Self> {
        let kind = job.batch?;
        let key = job.job.key.as_ref().filter(|_| kind.policy.batch_by_key);
        Some(Self { kind: kind.kind, key: key.cloned() })
    }
}

impl GatheringCall {
    fn push(&mut self, job: PrefetchedJob) {
        self.bytes += job.bytes();
        self.jobs.push(job);
    }

    fn is_complete(&self) -> bool {
        self.jobs.len() >= self.size || self.bytes >= CLAIM_BYTES as usize
    }

    fn remove(&mut self, id: JobId) -> Option<PrefetchedJob> {
        let at = self.jobs.iter().position(|job| job.job.id == id)?;
        let job = self.jobs.remove(at);
        self.bytes -= job.bytes();
        Some(job)
    }
}

fn call_size(job: &PrefetchedJob) -> usize {
    job.batch.and_then(|kind| kind.policy.batch).map_or(1, usize::from).max(1)
}
