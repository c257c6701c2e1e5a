//! The test's own record of every job, against which it checks the library.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pgjobq::JobId;

/// The test's own record of every job.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Mutex<HashMap<JobId, Entry>>,
    /// Broken promises. (A panic would not fail the test: a worker would catch it, and retry the job.)
    complaints: Mutex<Vec<String>>,
}

#[derive(Debug)]
struct Entry {
    kind: &'static str,
    fate: Fate,
    place: Place,
    /// The number of times that it changed its place. An unchanged number proves that no worker touched the job.
    moves: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Sent in a transaction that is open, as far as is known.
    Sent,
    Committed,
    RolledBack,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A worker may claim it.
    InLine,
    /// Not in line until it is promoted.
    Scheduled,
    Held {
        worker: i64,
    },
    /// Its finish is being sent: from here on, another worker may claim it.
    LetGo {
        worker: i64,
    },
    Done,
}

/// The place of a job after a worker has finished it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaves {
    Done,
    InLine,
    Scheduled,
}

impl Ledger {
    /// Records that a job is about to be sent.
    pub(crate) fn sent(&self, job: JobId, kind: &'static str, scheduled: bool) {
        let place = if scheduled { Place::Scheduled } else { Place::InLine };
        let known = self.lock().insert(job, Entry { kind, fate: Fate::Sent, place, moves: 0 });
        assert!(known.is_none(), "job {job} was sent before");
    }

    pub(crate) fn committed(&self, jobs: &[JobId]) {
        let mut entries = self.lock();
        jobs.iter().for_each(|job| entries.get_mut(job).unwrap().fate = Fate::Committed);
    }

    pub(crate) fn rolled_back(&self, jobs: &[JobId]) {
        let mut entries = self.lock();
        jobs.iter().for_each(|job| entries.get_mut(job).unwrap().fate = Fate::RolledBack);
    }

    /// Records that a worker claimed the job, or starts to run it. The job must exist, and no other worker may hold it.
    pub(crate) fn taken(&self, job: JobId, worker: i64) {
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(&job) else {
            return self.complain(format!("worker {worker} got job {job}, which was never sent"));
        };
        let free = matches!(entry.place, Place::InLine | Place::Scheduled | Place::LetGo { .. });
        if entry.fate == Fate::RolledBack || !free {
            self.complain(format!(
                "worker {worker} got job {job}, which was {:?}, and is {:?}",
                entry.fate, entry.place
            ));
        }
        entry.place = Place::Held { worker };
        entry.moves += 1;
    }

    /// Records that its worker is about to finish it.
    pub(crate) fn let_go(&self, job: JobId, worker: i64) {
        let mut entries = self.lock();
        let entry = entries.get_mut(&job).unwrap();
        if entry.place != (Place::Held { worker }) {
            self.complain(format!("job {job}, let go by worker {worker}, is {:?}", entry.place));
        }
        entry.place = Place::LetGo { worker };
    }

    /// Records that the database has finished it.
    pub(crate) fn left(&self, job: JobId, worker: i64, leaves: Leaves) {
        let mut entries = self.lock();
        let entry = entries.get_mut(&job).unwrap();
        if entry.place != (Place::LetGo { worker }) {
            if leaves == Leaves::Done {
                self.complain(format!("job {job} was done by worker {worker}, and then taken"));
            }
            return; // Another worker has it already.
        }
        entry.moves += 1;
        entry.place = match leaves {
            Leaves::Done => Place::Done,
            Leaves::InLine => Place::InLine,
            Leaves::Scheduled => Place::Scheduled,
        };
    }

    /// Returns the committed jobs of these kinds that are in line and not held, each with the number of its moves.
    pub(crate) fn in_line(&self, kinds: &[&'static str]) -> HashMap<JobId, u32> {
        let waits =
            |e: &Entry| e.fate == Fate::Committed && e.place == Place::InLine && kinds.contains(&e.kind);
        self.lock().iter().filter(|(_, e)| waits(e)).map(|(job, e)| (*job, e.moves)).collect()
    }

    /// Returns the committed jobs that are not done.
    pub(crate) fn left_behind(&self) -> Vec<JobId> {
        let left = |e: &Entry| e.fate == Fate::Committed && e.place != Place::Done;
        self.lock().iter().filter(|(_, e)| left(e)).map(|(job, _)| *job).collect()
    }

    /// Panics if a promise was broken.
    pub(crate) fn check(&self) {
        let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    fn complain(&self, complaint: String) {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).push(complaint);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
