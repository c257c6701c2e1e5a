//! Wakes workers for new jobs after their commit: a worker of this process directly, or else others by a notification.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::db::ids::QueueId;
use crate::db::local_workers::NewJobs;
use crate::db::notifier::Notifier;
use crate::db::shared::Shared;
use crate::pump::{Pump, Running, Work};

/// The least time between two wake-ups of workers of this process, so that a stream of single enqueues causes few claims.
const WAKE_INTERVAL: Duration = Duration::from_millis(1);

/// Wakes workers for new jobs.
#[derive(Clone, Debug)]
pub(crate) struct WakeUps {
    shared: Arc<Shared>,
    notifier: Notifier,
    pending: Pump<Pending>,
}

#[derive(Debug, Default)]
struct Pending {
    /// By queue.
    new: BTreeMap<String, NewJobs>,
    /// The queues in which a worker waits to be notified.
    idle: BTreeSet<QueueId>,
    last: Option<Instant>,
}

impl WakeUps {
    pub(crate) fn new(shared: Arc<Shared>, notifier: Notifier) -> Self {
        Self { shared, notifier, pending: Pump::default() }
    }

    /// Wakes workers for new jobs. `idle` are the queues in which a worker waits to be notified. `new` is called if a worker of this
    /// process may run the jobs.
    pub(crate) fn enqueued(&self, idle: &[QueueId], new: impl FnOnce() -> Vec<NewJobs>) {
        if self.shared.local_workers.is_empty() {
            return self.notifier.wake(idle);
        }
        let due = self.pending.with(|pending| {
            pending.add(idle, new());
            pending.last.is_none_or(|last| last.elapsed() >= WAKE_INTERVAL).then(|| pending.take())
        });
        match due {
            Some(due) => self.wake(due),
            None => {
                let later = |running| self.clone().wake_later(running);
                self.pending.add(&self.shared.tasks, |_| {}, later);
            }
        }
    }

    /// Notifies workers of jobs of these queues that may start now, or have new times.
    pub(crate) fn settled(&self, queues: &[QueueId]) {
        self.notifier.wake(queues);
    }

    /// Notifies those who wait that these jobs have ended, and workers if something may follow from that: other jobs wait for jobs,
    /// or there are workflows.
    pub(crate) fn ended(&self, jobs: &[Uuid], has_followers: bool) {
        self.notifier.ended(jobs);
        if has_followers && !jobs.is_empty() {
            self.notifier.edges();
        }
    }

    /// Notifies workers of edges to confirm.
    pub(crate) fn has_edges(&self) {
        self.notifier.edges();
    }

    /// Notifies workers of jobs that wait for permits.
    pub(crate) fn has_limited(&self) {
        self.notifier.limited();
    }

    async fn wake_later(self, mut running: Running<Pending>) {
        loop {
            tokio::select! {
                () = self.shared.stop.cancelled() => {}
                () = tokio::time::sleep(WAKE_INTERVAL) => {}
            }
            let is_empty = |pending: &Pending| pending.new.is_empty() && pending.idle.is_empty();
            let Some(due) = running.next(|pending| (!is_empty(pending)).then(|| pending.take())) else {
                return;
            };
            self.wake(due);
        }
    }

    fn wake(&self, Pending { new, mut idle, .. }: Pending) {
        for new in new.values() {
            if let Some(queue) = self.shared.local_workers.wake(new, &idle) {
                idle.remove(&queue);
            }
        }
        self.notifier.wake(&idle.into_iter().collect::<Vec<_>>());
    }
}

impl Work for Pending {}

impl Pending {
    fn add(&mut self, idle: &[QueueId], new: Vec<NewJobs>) {
        self.idle.extend(idle);
        for new in new {
            match self.new.get_mut(&new.queue) {
                Some(known) => known.add(new),
                None => _ = self.new.insert(new.queue.clone(), new),
            }
        }
    }

    fn take(&mut self) -> Self {
        std::mem::replace(self, Self { last: Some(Instant::now()), ..Self::default() })
    }
}
