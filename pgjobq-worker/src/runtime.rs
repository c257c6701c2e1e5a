//! What the parts of a running worker share.

use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pgjobq_core::__private::{Notifier, Registry, States, Store};
use pgjobq_core::{Client, DatabaseError, Policy};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attempt::in_flight::InFlight;
use crate::claim::arrivals::Arrivals;
use crate::claim::quarantine::Quarantine;
use crate::config::Config;
use crate::leases::Leases;
use crate::record::finisher::Inbox;
use crate::record::recorders::Recorders;
use crate::upkeep::drift::Drift;
use crate::upkeep::own_liveness::OwnLiveness;

/// What the parts of a running worker share.
#[derive(Debug)]
pub(crate) struct Runtime {
    pub(crate) client: Client,
    pub(crate) notifier: Notifier,
    pub(crate) store: Store,
    pub(crate) config: Config,
    pub(crate) registry: Registry,
    pub(crate) kinds: Kinds,
    pub(crate) states: Arc<States>,
    pub(crate) queues: Vec<Arc<QueueSlots>>,
    pub(crate) leases: Leases,
    /// Who this worker is. A worker that was given up goes on under a new id.
    pub(crate) identity: AtomicI64,
    pub(crate) quarantine: Quarantine,
    /// Turns to read arguments that did not come with their claim.
    pub(crate) reads: Semaphore,
    pub(crate) recorders: Recorders,
    /// The turn to find out whether a transaction of a job has committed.
    pub(crate) settling: Semaphore,
    /// The tokio runtime that the worker was started in. The heartbeat has another one.
    pub(crate) home: OnceLock<Handle>,
    pub(crate) attempts: TaskTracker,
    /// Claims whose answers were lost, and that are being returned.
    pub(crate) returns: TaskTracker,
    pub(crate) in_flight: Arc<InFlight>,
    /// Alerts that are being told.
    pub(crate) alerts: TaskTracker,
    pub(crate) events: Events,
    pub(crate) arrivals: Arrivals,
    pub(crate) liveness: OwnLiveness,
    pub(crate) drift: Drift,
    pub(crate) stages: Stages,
}

/// The kinds of jobs that this program can run, aliases included.
#[derive(Debug)]
pub(crate) struct Kinds {
    pub(crate) all: Vec<&'static str>,
    pub(crate) transactional: Vec<&'static str>,
    /// Those that are not transactional.
    pub(crate) plain: Vec<&'static str>,
}

impl Kinds {
    fn of(registry: &Registry) -> Self {
        let is_transactional = |kind: &&str| registry.get(kind).is_some_and(|job| job.policy.transactional);
        let (transactional, plain) = registry.kinds().partition(is_transactional);
        Self { all: registry.kinds().collect(), transactional, plain }
    }
}

/// What wakes the loops of a worker.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// A slot is free, a result was recorded, or work arrived: the claim loop may go on.
    pub(crate) claim: Notify,
    /// The worker may have been given up: a heartbeat tells.
    pub(crate) beat: Notify,
    /// The database may be another one: the worker's row was gone.
    pub(crate) look: Notify,
    /// A job comes due sooner than the promoter knows.
    pub(crate) promote: Notify,
    /// Results are recorded again, after some were refused.
    pub(crate) recorded: Notify,
}

/// The stages of a shutdown, each begun by its token.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    /// Claim nothing more.
    pub(crate) drain: CancellationToken,
    /// The grace is over: attempts are told to stop.
    pub(crate) stop_attempts: CancellationToken,
    /// Attempts that go on are dropped.
    pub(crate) drop_attempts: CancellationToken,
    /// Everything has been recorded: upkeep and heartbeats end.
    pub(crate) end: CancellationToken,
}

/// A queue of this worker, and how many of its jobs may run.
#[derive(Debug)]
pub(crate) struct QueueSlots {
    /// Another one when the queue was recreated.
    id: AtomicI32,
    pub(crate) name: Arc<str>,
    pub(crate) limit: usize,
    taken: AtomicUsize,
    /// How long a completed job is kept whose kind says nothing, in microseconds.
    keep: AtomicU64,
    /// How many attempts have completed, and failed, since that was last written down.
    ended: [AtomicI32; 2],
}

impl QueueSlots {
    pub(crate) fn new(id: i32, name: &str, limit: usize) -> Self {
        Self {
            id: AtomicI32::new(id),
            name: name.into(),
            limit,
            taken: AtomicUsize::new(0),
            keep: AtomicU64::new(0),
            ended: Default::default(),
        }
    }

    pub(crate) fn id(&self) -> i32 {
        self.id.load(Ordering::Acquire)
    }

    pub(crate) fn set_id(&self, id: i32) {
        self.id.store(id, Ordering::Release);
    }

    /// How long a completed job of this kind is kept here, if at all.
    pub(crate) fn keep(&self, policy: &Policy) -> Option<Duration> {
        let keep = policy.retain.unwrap_or_else(|| Duration::from_micros(self.keep.load(Ordering::Relaxed)));
        Some(keep).filter(|keep| !keep.is_zero())
    }

    pub(crate) fn set_keep(&self, keep: Duration) {
        self.keep.store(u64::try_from(keep.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// An attempt has ended.
    pub(crate) fn count(&self, failed: bool) {
        self.ended[usize::from(failed)].fetch_add(1, Ordering::Relaxed);
    }

    /// Takes up to `most` slots. Only the claim loop takes, so that none can be taken in between.
    pub(crate) fn take(&self, most: usize) -> usize {
        let free = self.count_free().min(most);
        self.taken.fetch_add(free, Ordering::AcqRel);
        free
    }

    /// Gives slots back.
    pub(crate) fn free(&self, count: usize) {
        self.taken.fetch_sub(count, Ordering::AcqRel);
    }

    pub(crate) fn has_free(&self) -> bool {
        self.count_free() > 0
    }

    pub(crate) fn count_free(&self) -> usize {
        self.limit.saturating_sub(self.taken.load(Ordering::Acquire))
    }
}

impl Runtime {
    pub(crate) fn new(
        client: Client,
        store: Store,
        config: Config,
        registry: Registry,
        states: States,
        queues: Vec<Arc<QueueSlots>>,
    ) -> (Arc<Self>, Vec<Inbox>) {
        let (recorders, inboxes) = Recorders::new();
        let runtime = Self {
            notifier: client.notifications(),
            client,
            store,
            config,
            kinds: Kinds::of(&registry),
            registry,
            states: Arc::new(states),
            queues,
            leases: Leases::default(),
            identity: AtomicI64::new(new_identity()),
            quarantine: Quarantine::default(),
            reads: Semaphore::new(2),
            settling: Semaphore::new(1),
            recorders,
            home: OnceLock::new(),
            attempts: TaskTracker::new(),
            returns: TaskTracker::new(),
            in_flight: Arc::default(),
            alerts: TaskTracker::new(),
            events: Events::default(),
            arrivals: Arrivals::default(),
            liveness: OwnLiveness::default(),
            drift: Drift::default(),
            stages: Stages::default(),
        };
        (Arc::new(runtime), inboxes)
    }

    /// Reads how long completed jobs of this worker's queues are kept.
    pub(crate) async fn read_keeps(&self) -> Result<(), DatabaseError> {
        let ids: Vec<i32> = self.queues.iter().map(|queue| queue.id()).collect();
        for (id, keep) in self.store.queue_keeps(&ids).await? {
            self.queues.iter().filter(|queue| queue.id() == id).for_each(|queue| queue.set_keep(keep));
        }
        Ok(())
    }

    /// Writes down how many attempts have ended, if any.
    pub(crate) async fn note_rates(&self) -> Result<(), DatabaseError> {
        let taken = |count: &AtomicI32| count.swap(0, Ordering::Relaxed);
        let counts =
            self.queues.iter().map(|queue| (queue.id(), taken(&queue.ended[0]), taken(&queue.ended[1])));
        let counts: Vec<_> = counts.filter(|(_, completed, failed)| completed + failed > 0).collect();
        if counts.is_empty() {
            return Ok(());
        }
        let noted = self.store.note_rates(&counts).await;
        if noted.is_err() {
            for (id, completed, failed) in counts {
                if let Some(queue) = self.queues.iter().find(|queue| queue.id() == id) {
                    queue.ended[0].fetch_add(completed, Ordering::Relaxed);
                    queue.ended[1].fetch_add(failed, Ordering::Relaxed);
                }
            }
        }
        noted
    }

    /// Returns when every result has been recorded.
    pub(crate) async fn all_recorded(&self) {
        while self.recorders.count() > 0 {
            self.events.claim.notified().await;
        }
    }

    /// Registers this worker under an id.
    pub(crate) async fn register(&self, store: &Store, worker: i64) -> Result<(), DatabaseError> {
        match store.register(worker, &self.storable_name(), self.config.lease).await {
            Err(error) if error.is_untranslatable() && self.escape_name() => {
                store.register(worker, &self.storable_name(), self.config.lease).await
            }
            registered => registered,
        }
    }

    pub(crate) fn worker(&self) -> i64 {
        self.identity.load(Ordering::Acquire)
    }
}

/// Random, for each start anew: two processes from one image are two workers.
pub(crate) fn new_identity() -> i64 {
    (uuid::Uuid::new_v4().as_u64_pair().0 >> 1) as i64
}
