//! The limits under which permits may have become free, and the jobs that wait for permits, which a worker of this process has to look
//! at.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use pgjobq_core::worker_api::{Limit, Shard, lock};
use tokio::sync::Notify;
use uuid::Uuid;

/// The largest number of limits, and of jobs, in one admission: as many as a finish has results. Each admission has a fixed cost.
const BATCH: usize = 500;
/// The largest number of jobs, and of limits of a shard, to remember. A look at all limits finds more.
const MOST: usize = 10_000;

/// The limits under which permits may have become free, and the jobs that wait for permits.
#[derive(Debug, Default)]
pub(crate) struct Admissions {
    noted: Mutex<Noted>,
    /// True if all limits are to be looked at.
    sweep: AtomicBool,
    added: Notify,
}

#[derive(Debug, Default)]
struct Noted {
    limits: BTreeMap<Shard, Limits>,
    jobs: BTreeSet<Uuid>,
}

/// Limits in the order in which they were noted, each once. In any other order a limit could wait for as long as others are noted.
#[derive(Debug, Default)]
struct Limits {
    line: VecDeque<Arc<Limit>>,
    known: HashSet<Arc<Limit>>,
}

impl Limits {
    fn add(&mut self, limit: Limit) {
        let limit = Arc::new(limit);
        if self.known.insert(limit.clone()) {
            self.line.push_back(limit);
        }
    }

    fn take(&mut self) -> Option<Limit> {
        let limit = self.line.pop_front()?;
        self.known.remove(&limit);
        Some(Arc::unwrap_or_clone(limit))
    }
}

impl Admissions {
    /// Notes limits under which permits may have become free.
    pub(crate) fn freed(&self, shard: Shard, limits: impl IntoIterator<Item = Limit>) {
        let mut limits = limits.into_iter().peekable();
        if limits.peek().is_some() {
            self.put_limits_back(shard, limits);
            self.added.notify_one();
        }
    }

    /// Notes jobs that wait for permits.
    pub(crate) fn waiting(&self, jobs: &[Uuid]) {
        if !jobs.is_empty() {
            self.put_jobs_back(jobs);
            self.added.notify_one();
        }
    }

    /// Adds limits without waking the task that admits.
    pub(crate) fn put_limits_back(&self, shard: Shard, limits: impl IntoIterator<Item = Limit>) {
        let mut noted = lock(&self.noted);
        let of_shard = noted.limits.entry(shard).or_default();
        limits.into_iter().for_each(|limit| of_shard.add(limit));
        if of_shard.line.len() > MOST {
            noted.limits.remove(&shard);
            self.sweep.store(true, Ordering::Release);
        }
    }

    /// Adds jobs without waking the task that admits.
    pub(crate) fn put_jobs_back(&self, jobs: &[Uuid]) {
        let mut noted = lock(&self.noted);
        noted.jobs.extend(jobs);
        if noted.jobs.len() > MOST {
            noted.jobs.clear();
            self.sweep.store(true, Ordering::Release);
        }
    }

    /// Requests a look at all limits under which jobs wait.
    pub(crate) fn sweep(&self) {
        self.sweep.store(true, Ordering::Release);
        self.added.notify_one();
    }

    /// Requests the same without waking the task that admits.
    pub(crate) fn sweep_later(&self) {
        self.sweep.store(true, Ordering::Release);
    }

    /// Takes the request for a look at all limits.
    pub(crate) fn take_sweep(&self) -> bool {
        self.sweep.swap(false, Ordering::AcqRel)
    }

    /// Takes the next limits, all of one shard.
    pub(crate) fn take_limits(&self) -> Option<(Shard, Vec<Limit>)> {
        let mut noted = lock(&self.noted);
        let mut entry = noted.limits.first_entry()?;
        let (shard, limits) = (*entry.key(), entry.get_mut());
        let batch = std::iter::from_fn(|| limits.take()).take(BATCH).collect();
        if limits.line.is_empty() {
            entry.remove();
        }
        Some((shard, batch))
    }

    /// Takes the next jobs.
    pub(crate) fn take_jobs(&self) -> Option<Vec<Uuid>> {
        let mut noted = lock(&self.noted);
        let batch: Vec<Uuid> = std::iter::from_fn(|| noted.jobs.pop_first()).take(BATCH).collect();
        (!batch.is_empty()).then_some(batch)
    }

    /// Waits until there is something to look at.
    pub(crate) async fn noted(&self) {
        self.added.notified().await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn keys(keys: std::ops::Range<usize>) -> impl Iterator<Item = Limit> {
        keys.map(|key| Limit::Kind { kind: "sync".to_owned(), key: key.to_string() })
    }

    #[test]
    fn limits_are_taken_once_and_shard_by_shard() {
        let admissions = Admissions::default();
        admissions.freed(Shard(1), keys(0..1));
        admissions.freed(Shard(0), keys(0..BATCH + 1));
        admissions.freed(Shard(0), keys(0..5));
        let taken: Vec<_> = std::iter::from_fn(|| admissions.take_limits()).collect();
        let sizes: Vec<_> = taken.iter().map(|(shard, limits)| (shard.0, limits.len())).collect();
        assert_eq!(sizes, [(0, BATCH), (0, 1), (1, 1)]);
    }

    #[test]
    fn limits_are_taken_in_the_order_in_which_they_were_noted() {
        let admissions = Admissions::default();
        let noted: Vec<_> =
            keys(0..BATCH).chain(keys(BATCH..2 * BATCH).collect::<Vec<_>>().into_iter().rev()).collect();
        admissions.freed(Shard(0), noted.clone());
        let (_, first) = admissions.take_limits().unwrap();
        admissions.freed(Shard(0), first.iter().cloned());
        let (_, second) = admissions.take_limits().unwrap();
        assert_eq!([first, second].concat(), noted, "those that are noted again come last");
    }

    #[test]
    fn too_many_waiting_jobs_become_one_look_at_all() {
        let admissions = Admissions::default();
        let jobs: Vec<Uuid> = (0..=MOST as u128).map(Uuid::from_u128).collect();
        admissions.waiting(&jobs[..MOST]);
        assert!(!admissions.take_sweep());
        admissions.waiting(&jobs[MOST..]);
        assert!(admissions.take_sweep());
        assert_eq!(admissions.take_jobs(), None);
    }

    #[test]
    fn too_many_limits_become_one_look_at_all() {
        let admissions = Admissions::default();
        admissions.freed(Shard(1), keys(0..1));
        admissions.freed(Shard(0), keys(0..MOST));
        assert!(!admissions.take_sweep());
        admissions.freed(Shard(0), keys(MOST..MOST + 1));
        assert!(admissions.take_sweep());
        let taken: Vec<_> = std::iter::from_fn(|| admissions.take_limits()).collect();
        assert_eq!(taken.iter().map(|(shard, _)| shard.0).collect::<Vec<_>>(), [1]);
    }
}
