//! The workers that share a client. The client wakes them itself for new jobs, without the database.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};

use crate::db::ids::QueueId;
use crate::lock::lock;

/// New jobs of one queue that may start now.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewJobs {
    pub queue: String,
    pub kinds: BTreeSet<&'static str>,
    pub count: usize,
}

/// A worker of this process.
#[doc(hidden)]
pub trait LocalWorker: fmt::Debug + Send + Sync {
    /// Wakes the worker, if it can start these jobs at once, and returns their queue. If the queue is in `idle`, the worker has to
    /// notify other workers if it cannot start the jobs after all.
    fn wake(&self, new: &NewJobs, idle: &BTreeSet<QueueId>) -> Option<QueueId>;
}

/// The workers that share a client.
#[derive(Debug, Default)]
pub(crate) struct LocalWorkers(Mutex<Vec<Weak<dyn LocalWorker>>>);

impl LocalWorkers {
    pub(crate) fn add(&self, worker: &Arc<dyn LocalWorker>) {
        let mut workers = lock(&self.0);
        workers.retain(|worker| worker.strong_count() > 0);
        workers.push(Arc::downgrade(worker));
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.0).iter().all(|worker| worker.strong_count() == 0)
    }

    /// Wakes one worker for these jobs, if there is one that can start them at once. Returns their queue.
    pub(crate) fn wake(&self, new: &NewJobs, idle: &BTreeSet<QueueId>) -> Option<QueueId> {
        let workers: Vec<_> = lock(&self.0).iter().filter_map(Weak::upgrade).collect();
        workers.iter().find_map(|worker| worker.wake(new, idle))
    }
}

impl NewJobs {
    /// Adds the jobs of another enqueue into the same queue.
    pub(crate) fn add(&mut self, other: Self) {
        self.kinds.extend(other.kinds);
        self.count += other.count;
    }
}
