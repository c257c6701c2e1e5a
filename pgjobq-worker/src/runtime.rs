//! The state that the parts of a running worker share.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use pgjobq_core::worker_api::{
    ClaimedJob, JobDescriptor, Notifier, QueueId, QueueStanding, Registry, States, Store, WorkerId,
};
use pgjobq_core::{Client, DatabaseError, JobId};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::admissions::Admissions;
use crate::attempt::in_flight::InFlight;
use crate::claim::arrivals::Arrivals;
use crate::claim::quarantine::Quarantine;
use crate::config::Config;
use crate::leases::Leases;
use crate::record::recorders::Recorders;
use crate::record::unrecorded::Inbox;
use crate::served_queue::ServedQueue;
use crate::unsettled::Unsettled;
use crate::upkeep::known_problems::KnownProblems;
use crate::upkeep::own_liveness::OwnLiveness;
use crate::worker_name::WorkerName;

/// The number of jobs whose arguments are read at a time, if the arguments did not come with the claim. Large arguments would
/// otherwise occupy every connection of the worker.
const ARGS_READS: usize = 2;
/// The number of in-doubt commits that are resolved at a time. Each may wait for long, and occupies a connection meanwhile.
const IN_DOUBT_LOOKUPS: usize = 1;

/// The state that the parts of a running worker share.
#[derive(Debug)]
pub(crate) struct Runtime {
    pub(crate) client: Client,
    pub(crate) notifier: Notifier,
    pub(crate) store: Store,
    pub(crate) config: Config,
    pub(crate) name: WorkerName,
    pub(crate) registry: Registry,
    pub(crate) kinds: Kinds,
    pub(crate) states: Arc<States>,
    pub(crate) queues: Vec<Arc<ServedQueue>>,
    pub(crate) leases: Leases,
    /// The id of this worker. A worker that other workers gave up continues under a new id.
    identity: AtomicI64,
    pub(crate) quarantine: Arc<Quarantine>,
    /// Limits reads of arguments that did not come with their claim.
    pub(crate) args_reads: Semaphore,
    pub(crate) recorders: Recorders,
    /// Limits statements that resolve in-doubt commits.
    pub(crate) in_doubt_lookups: Semaphore,
    /// The tokio runtime in which the worker was started. The heartbeat runs in another one.
    pub(crate) home: OnceLock<Handle>,
    pub(crate) attempts: TaskTracker,
    /// Tasks that return the jobs of claims whose answers were lost.
    pub(crate) returns: TaskTracker,
    pub(crate) in_flight: Arc<InFlight>,
    /// Tasks that call `on_dead`.
    pub(crate) alerts: TaskTracker,
    pub(crate) events: Events,
    pub(crate) unsettled: Unsettled,
    pub(crate) admissions: Admissions,
    pub(crate) arrivals: Arrivals,
    pub(crate) liveness: OwnLiveness,
    pub(crate) problems: KnownProblems,
    /// The number of changes to settings and schedules when this worker last read them.
    changes: AtomicI64,
    pub(crate) stages: Stages,
}

/// The kinds of jobs that this worker can run, aliases included: those of the program whose states the worker has.
#[derive(Debug)]
pub(crate) struct Kinds {
    /// As a claim names them: in every version of their arguments that the program reads.
    pub(crate) all: Vec<String>,
    /// Those of them that are not transactional.
    pub(crate) plain: Vec<String>,
    pub(crate) transactional: Vec<&'static str>,
    /// True if the job function of one of them takes several jobs in one call.
    has_batches: bool,
}

impl Kinds {
    fn of(registry: &Registry, states: &States) -> Self {
        let can_run = |job: &&JobDescriptor| job.states.iter().all(|state| states.has(*state));
        let jobs: Vec<_> = registry.jobs().filter(can_run).collect();
        let is_transactional = |job: &&&'static JobDescriptor| job.policy.transactional;
        let transactional = jobs.iter().filter(is_transactional).flat_map(|job| job.names()).collect();
        let mut plain: Vec<_> =
            jobs.iter().filter(|job| !is_transactional(job)).flat_map(|job| job.claimable()).collect();
        let mut all: Vec<_> = jobs.iter().flat_map(|job| job.claimable()).collect();
        plain.sort_unstable();
        all.sort_unstable();
        let has_batches = jobs.iter().any(|job| job.batch.is_some());
        Self { all, plain, transactional, has_batches }
    }

    /// Returns whether this worker can run jobs of a kind that this program enqueues.
    pub(crate) fn can_run(&self, kind: &str) -> bool {
        self.all.iter().any(|name| name.split('@').next() == Some(kind))
    }
}

/// The events that wake the tasks of a worker.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// Wakes the claim loop: a slot is free, a result was recorded, or work arrived.
    pub(crate) claim: Arc<Notify>,
    /// Requests a heartbeat: this worker may have been given up.
    pub(crate) beat: Notify,
    /// Requests a look at the queues: a queue was deleted, or the row of the worker or of a lane is gone.
    pub(crate) check_queues: Notify,
    /// Wakes the promoter: a job comes due sooner than it knows.
    pub(crate) promote: Notify,
    /// Wakes the promoter: a rate may have room again sooner than it knows.
    pub(crate) awaited: Notify,
    /// Wakes the look for follow-ups: this worker has ended jobs that may have children.
    pub(crate) follow_up: Notify,
    /// Wakes the actor: there is an action on many jobs.
    pub(crate) act: Notify,
    /// Wakes the ager: a queue has ageing now.
    pub(crate) age: Notify,
    /// Wakes the look at schedules: one of them has changed.
    pub(crate) schedules: Notify,
}

/// The stages of a shutdown. Each begins when its token is cancelled.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    /// The worker claims nothing more.
    pub(crate) drain: CancellationToken,
    /// The grace is over: attempts are asked to stop.
    pub(crate) stop_attempts: CancellationToken,
    /// Attempts that did not stop are dropped.
    pub(crate) drop_attempts: CancellationToken,
    /// Every result has been recorded: upkeep and heartbeats end.
    pub(crate) end: CancellationToken,
}

/// A queue to serve, as the builder found it: its id, its name and the number of its slots.
pub(crate) type QueueToServe = (QueueId, String, usize);

impl Runtime {
    pub(crate) fn new(
        client: Client,
        store: Store,
        config: Config,
        registry: Registry,
        states: States,
        queues: Vec<QueueToServe>,
    ) -> (Arc<Self>, Vec<Inbox>) {
        let (recorders, inboxes) = Recorders::new();
        let events = Events::default();
        let serve = |(id, name, limit): QueueToServe| {
            Arc::new(ServedQueue::new(id, &name, limit, Arc::clone(&events.claim)))
        };
        let runtime = Self {
            notifier: client.notifications(),
            client,
            store,
            name: WorkerName::new(config.name.clone()),
            config,
            kinds: Kinds::of(&registry, &states),
            registry,
            states: Arc::new(states),
            queues: queues.into_iter().map(serve).collect(),
            leases: Leases::default(),
            identity: AtomicI64::new(new_identity().0),
            quarantine: Arc::new(Quarantine::new(Arc::clone(&events.claim))),
            args_reads: Semaphore::new(ARGS_READS),
            recorders,
            in_doubt_lookups: Semaphore::new(IN_DOUBT_LOOKUPS),
            home: OnceLock::new(),
            attempts: TaskTracker::new(),
            returns: TaskTracker::new(),
            in_flight: Arc::default(),
            alerts: TaskTracker::new(),
            events,
            unsettled: Unsettled::default(),
            admissions: Admissions::default(),
            arrivals: Arrivals::default(),
            liveness: OwnLiveness::default(),
            problems: KnownProblems::default(),
            changes: AtomicI64::default(),
            stages: Stages::default(),
        };
        (Arc::new(runtime), inboxes)
    }

    pub(crate) fn worker(&self) -> WorkerId {
        WorkerId(self.identity.load(Ordering::Acquire))
    }

    /// Continues under another id.
    pub(crate) fn rename(&self, worker: WorkerId) {
        self.identity.store(worker.0, Ordering::Release);
    }

    pub(crate) fn queue_ids(&self) -> Vec<QueueId> {
        self.queues.iter().map(|queue| queue.id()).collect()
    }

    pub(crate) fn find_queue(&self, id: QueueId) -> Option<&Arc<ServedQueue>> {
        self.queues.iter().find(|queue| queue.id() == id)
    }

    /// Registers this worker under the id `worker`.
    pub(crate) async fn register(&self, store: &Store, worker: WorkerId) -> Result<(), DatabaseError> {
        let queues: Vec<_> = self.queues.iter().map(|queue| (&*queue.name, queue.limit())).collect();
        let register = async || {
            let (name, lease) = (self.name.storable(), self.config.lease);
            store.register(worker, &name, lease, &queues, &self.kinds.all).await
        };
        match register().await {
            Err(error) if error.is_untranslatable() && self.name.escape() => register().await,
            registered => registered,
        }
    }

    /// Reads the queues of this worker, and follows their settings.
    pub(crate) async fn read_queues(&self) -> Result<Vec<QueueStanding>, DatabaseError> {
        let names: Vec<&str> = self.queues.iter().map(|queue| &*queue.name).collect();
        let worker = self.worker();
        let standing = self.store.check_queues(&names).await?;
        let settings_of = |queue: &ServedQueue| standing.iter().find(|settings| settings.name == *queue.name);
        let limit = |queue: &Arc<ServedQueue>| {
            settings_of(queue).and_then(|settings| settings.limit).unwrap_or(queue.limit_by_code)
        };
        let limits: Vec<usize> = self.queues.iter().map(limit).collect();
        if self.queues.iter().zip(&limits).any(|(queue, limit)| queue.limit() != *limit) {
            tracing::info!(?names, ?limits, "the limits of queues were changed; the worker follows them");
            self.store.set_slots(worker, &limits).await?;
        }
        for (queue, limit) in self.queues.iter().zip(limits) {
            queue.set_limit(limit);
            if let Some(keep) = settings_of(queue).and_then(|settings| settings.keep) {
                queue.set_retention(keep);
            }
            if queue.set_ages(settings_of(queue).is_some_and(|settings| settings.ages)) {
                self.events.age.notify_one();
            }
        }
        if let Some(queue) = standing.first() {
            self.changes.store(queue.changes, Ordering::Release);
        }
        Ok(standing)
    }

    /// Requests a look at the queues and the schedules if somebody has changed them since the last one.
    pub(crate) fn note_changes(&self, changes: i64) {
        if self.changes.load(Ordering::Acquire) != changes {
            self.something_changed();
        }
    }

    /// Requests a look at the queues and the schedules.
    pub(crate) fn something_changed(&self) {
        self.events.check_queues.notify_one();
        self.events.schedules.notify_one();
    }

    /// Returns whether too many results wait to be recorded, so that the worker claims nothing more. This bounds memory, and the
    /// number of jobs that would run again if this process died.
    pub(crate) fn is_behind(&self) -> bool {
        let slots = self.queues.iter().map(|queue| queue.limit()).sum();
        self.recorders.is_behind(slots)
    }

    /// Waits until every result has been recorded.
    pub(crate) async fn all_recorded(&self) {
        while self.recorders.count() > 0 {
            self.events.claim.notified().await;
        }
    }

    /// Notifies everyone who waits for these jobs that they have ended. May be called from any thread.
    pub(crate) fn notify_ended(&self, jobs: &[Uuid]) {
        let _home = self.home.get().map(Handle::enter);
        self.notifier.ended(jobs);
    }

    /// Notifies observers that these jobs have ended without an attempt. May be called from any thread.
    pub(crate) fn observe_ended(&self, jobs: &[Uuid]) {
        let _home = self.home.get().map(Handle::enter);
        self.client.observe_ended(jobs);
    }

    /// Returns the kind of a job, if one call of its job function takes several jobs.
    pub(crate) fn batch_of(&self, job: &ClaimedJob) -> Option<&'static JobDescriptor> {
        let kind = if self.kinds.has_batches { self.registry.get(&job.kind) } else { None };
        kind.filter(|kind| kind.batch.is_some())
    }

    /// Asks the attempt of this job to stop because its job is cancelled, if it runs here. If it waits here to begin, it is
    /// returned, which ends it.
    pub(crate) fn cancel(&self, job: JobId) {
        let waiting = self.queues.iter().find_map(|queue| queue.occupancy().remove(job));
        match waiting {
            Some(waiting) => self.recorders.send(waiting.returned()),
            None => self.in_flight.cancel(job),
        }
    }

    /// Wakes this worker and all others that serve these queues, after jobs were put back in line. May be called from any thread.
    pub(crate) fn work_returned(&self, queues: &[QueueId]) {
        if !queues.is_empty() {
            self.arrivals.note(queues);
            self.events.claim.notify_one();
            let _home = self.home.get().map(Handle::enter);
            self.notifier.wake(queues);
        }
    }

    /// Wakes this worker for new work in these queues. Notifies others of the work in queues that it does not serve; of the rest, if
    /// it cannot start it all.
    pub(crate) fn work_arrived(&self, queues: &[QueueId]) {
        let promises = |id: &QueueId| self.find_queue(*id).is_some() && self.promise_to_start(*id);
        let others: Vec<QueueId> = queues.iter().copied().filter(|id| !promises(id)).collect();
        self.notifier.wake(&others);
    }
}

/// Makes a random worker id. Each start has its own: two processes from one image are two workers.
pub(crate) fn new_identity() -> WorkerId {
    WorkerId((Uuid::new_v4().as_u64_pair().0 >> 1) as i64)
}
