//! The builder of a worker.

use std::time::Duration;

use pgjobq_core::filter::Filter;
use pgjobq_core::worker_api::{AcceptedJobs, CodeSchedules, ConnectError, Registry, States, Store};
use pgjobq_core::{Client, DatabaseError, EndedJob};

use crate::accepted::nothing_to_run;
use crate::config::{Config, OnDead, QueueLimits};
use crate::queues;
use crate::runtime::{QueueToServe, Runtime};
use crate::setup::{BuildError, SetupProblem, check};
use crate::worker::{Made, Worker};

/// The limit of each queue if the builder names none.
const DEFAULT_LIMIT: usize = 100;

/// Builds a [`Worker`].
///
/// ```no_run
/// # mod pgjobq { pub use {pgjobq_core::Client, pgjobq_worker::Worker}; }
/// # struct Mailer;
/// # async fn example(client: pgjobq::Client, mailer: Mailer) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use pgjobq::Worker;
///
/// let worker = Worker::builder(&client)
///     .queue("mail", 50) // At most fifty at a time here,
///     .queue("reports", 2) // and no other queues.
///     .state(mailer) // For the job functions that take `State<Mailer>`.
///     .grace(Duration::from_secs(60))
///     .build()
///     .await?;
/// # let _ = worker;
/// # Ok(())
/// # }
/// ```
#[must_use = "finish with `build().await`"]
pub struct WorkerBuilder {
    client: Client,
    config: Config,
    queues: Vec<(String, QueueLimits)>,
    states: States,
    filter: Option<Filter>,
}

impl Worker {
    /// Begins to build a worker on a client's database.
    pub fn builder(client: &Client) -> WorkerBuilder {
        WorkerBuilder::new(client)
    }
}

impl WorkerBuilder {
    fn new(client: &Client) -> Self {
        let config = Config::new(client.uses_notifications());
        Self { client: client.clone(), config, queues: Vec::new(), states: States::default(), filter: None }
    }

    /// Serves this queue, and runs at most this many of its jobs at a time. If no queue is named, the worker serves the queues of all
    /// jobs that are linked into the program, with at most 100 jobs of each at a time. An operator may set another limit
    /// ([`Queue::change`](pgjobq_core::Queue::change)), which wins until it is reset.
    pub fn queue(mut self, name: impl Into<String>, limits: impl Into<QueueLimits>) -> Self {
        self.queues.push((name.into(), limits.into()));
        self
    }

    /// Hands this value to job functions that take `State<T>`. Pass the value itself, and no `Arc` of it, because `State` shares it.
    ///
    /// `build()` fails if a job function of a queue that this worker serves takes a type of which the worker has no state, or if it has
    /// two of one type. The worker never runs a kind whose states it lacks.
    pub fn state<T: Send + Sync + 'static>(mut self, state: T) -> Self {
        self.states.insert(state);
        self
    }

    /// Hands these values to job functions.
    #[cfg(feature = "testing")]
    pub(crate) fn states(mut self, states: States) -> Self {
        self.states = states;
        self
    }

    /// Claims only jobs that this filter matches; others stay for other workers. A second call adds a condition.
    ///
    /// A job that no running worker accepts waits. `build()` fails if the filter is wrong, or tests the `state` or the `error` of
    /// jobs: the jobs that a worker claims are ready, and most of them have not failed. It logs a warning if the filter asks only for
    /// kinds that the program does not have, or for queues that the worker does not serve.
    ///
    /// ```no_run
    /// # mod pgjobq { pub use {pgjobq_core::{Client, filter}, pgjobq_worker::Worker}; }
    /// # fn example(client: pgjobq::Client) {
    /// use pgjobq::filter::attribute;
    ///
    /// let worker = pgjobq::Worker::builder(&client)
    ///     .queue("sync", 50)
    ///     .accept(attribute("region").eq("eu"));
    /// # let _ = worker;
    /// # }
    /// ```
    pub fn accept(mut self, filter: Filter) -> Self {
        self.filter = Some(match self.filter.take() {
            Some(earlier) => earlier.and(filter),
            None => filter,
        });
        self
    }

    /// Sets the worker's name in the table of workers and in recorded errors; `host:pid` by default.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.config.name = name.into().replace('\0', "");
        self
    }

    /// Sets the longest time between two looks at an idle queue; 5 s by default, and 1 s if notifications are off.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.config.poll_interval = interval;
        self
    }

    /// Sets the time between two heartbeats; 5 s by default.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.config.heartbeat = interval;
        self
    }

    /// Sets the silence after which other workers take this worker's jobs; 30 s by default, and at least three heartbeats.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.config.lease = lease;
        self
    }

    /// Sets the timeout of a claim; 10 s by default. If the answer of a claim was lost, its jobs are claimable again after this time at
    /// the latest.
    pub fn claim_timeout(mut self, timeout: Duration) -> Self {
        self.config.claim_timeout = timeout;
        self
    }

    /// Sets the time that running jobs have to end after a shutdown has begun; 25 s by default. Then they are asked to stop. Jobs that
    /// have not stopped two seconds later are handed back.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.config.grace = grace;
        self
    }

    /// Sets a function to call for each job that has died in this worker, or that this worker has buried for a crashed one: for alerts.
    /// It is called once, after the death is recorded. It is not called if this process dies just then, or if a shutdown buries the
    /// job and the database does not answer in time: [`Client::dead_jobs`](pgjobq_core::Client::dead_jobs) lists every dead job.
    ///
    /// ```no_run
    /// # mod pgjobq { pub use {pgjobq_core::Client, pgjobq_worker::Worker}; }
    /// # async fn page(_: String) {}
    /// # fn example(client: pgjobq::Client) {
    /// let worker = pgjobq::Worker::builder(&client)
    ///     .on_dead(|job| async move { page(format!("{} {} is dead", job.kind, job.id)).await });
    /// # let _ = worker;
    /// # }
    /// ```
    pub fn on_dead<F>(mut self, alert: impl Fn(EndedJob) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.config.on_dead = Some(OnDead::new(alert));
        self
    }

    /// Sets the largest size of a job's result, in bytes of JSON; 16 MiB by default. A job that returns more is dead, and its error says
    /// why. If the completed job is not kept, its result is dropped, large or small.
    pub fn max_result(mut self, bytes: usize) -> Self {
        self.config.max_result = bytes;
        self
    }

    /// Sets the number of connections for claims, results and upkeep; 4 by default, at least 2. Connections that are not needed are
    /// closed after five minutes.
    ///
    /// A worker opens at most this many connections, one for heartbeats, and as many for transactional jobs as the client's
    /// pool may have. Each client has one that listens, and its pool. Every connection is opened with the options that the pool
    /// has at that moment ([`set_connect_options`](sqlx::Pool::set_connect_options) rotates credentials) and is set up by
    /// the pool's `after_connect`; then the worker makes its own settings. `before_acquire` is for the pool's connections
    /// alone.
    pub fn connections(mut self, connections: u32) -> Self {
        self.config.connections = connections;
        self
    }

    /// Returns the worker, ready to run. It creates the queues that job functions of this program name; a queue that none of them
    /// names must exist.
    ///
    /// # Errors
    ///
    /// All mistakes of the set-up at once: see [`SetupProblem`]. Unknown queues are looked for only if there are no others.
    pub async fn build(self) -> Result<Worker, BuildError> {
        self.make(|_| true).await.map(Worker::new)
    }

    /// Makes the worker, unless there is a problem that matters.
    pub(crate) async fn make(mut self, matters: fn(&SetupProblem) -> bool) -> Result<Made, BuildError> {
        let (registry, duplicates) = Registry::linked();
        if self.queues.is_empty() {
            let queues: std::collections::BTreeSet<_> = registry.jobs().map(|job| job.policy.queue).collect();
            self.queues = queues
                .into_iter()
                .map(|queue| (queue.to_owned(), QueueLimits::local(DEFAULT_LIMIT)))
                .collect();
        }
        let mut problems = check(&self.config, &self.queues, &registry, duplicates, &self.states);
        let (schedules, mistakes) = CodeSchedules::of(&registry);
        problems.extend(mistakes.into_iter().map(SetupProblem::from));
        problems.retain(matters);
        let accepted = self.filter.as_ref().map(AcceptedJobs::new).transpose().map(Option::flatten);
        let accepted =
            accepted.map_err(|error| problems.push(SetupProblem::Filter(error))).unwrap_or_default();
        let store = match self.connect().await {
            Ok(store) if problems.is_empty() => store.accept(accepted).declare(schedules.digests()),
            Ok(store) => {
                store.close().await;
                return Err(BuildError { problems });
            }
            Err(problem) => {
                problems.push(problem);
                return Err(BuildError { problems });
            }
        };
        match self.record(&registry, &schedules, &store).await {
            Ok(queues) => {
                let made = Runtime::new(self.client, store, self.config, registry, self.states, queues);
                made.0.read_queues().await.map_err(|error| BuildError { problems: vec![error.into()] })?;
                Ok(made)
            }
            Err(problems) => {
                store.close().await;
                Err(BuildError { problems })
            }
        }
    }

    async fn connect(&self) -> Result<Store, SetupProblem> {
        let connections = self.config.connections.max(1);
        let store = Store::connect(&self.client, connections).await;
        // A statement without an answer for a whole lease was in vain: the lease is lost by then.
        let named = |store: Store| store.answer_within(self.config.lease).named(&self.config.name);
        store.map(named).map_err(|error| match error {
            ConnectError::Pooler => SetupProblem::Pooler,
            ConnectError::Database(error) if error.code().as_deref() == Some("53300") => {
                SetupProblem::NoConnections { wanted: connections + 1, error }
            }
            ConnectError::Database(error) => SetupProblem::Database(error),
        })
    }

    /// Records the kinds and queues of this program, and returns the queues of this worker.
    async fn record(
        &self,
        registry: &Registry,
        schedules: &CodeSchedules,
        store: &Store,
    ) -> Result<Vec<QueueToServe>, Vec<SetupProblem>> {
        let problem = |error: DatabaseError| vec![error.into()];
        self.client.record(registry).await.map_err(problem)?;
        for schedule in self.client.record_schedules(schedules).await.map_err(problem)? {
            tracing::warn!(schedule, "a schedule in the code has ended: it has no tick from now on");
        }
        self.client.repair_tickets().await.map_err(problem)?;
        self.client.try_to_make_partitions(registry.longest_kept()).await.map_err(problem)?.warn();
        let served: Vec<&str> = self.queues.iter().map(|(name, _)| name.as_str()).collect();
        let standing = store.check_queues(&served).await.map_err(problem)?;
        if let (Some(filter), Err(error)) = (&self.filter, store.check_filter().await) {
            return Err(vec![SetupProblem::UnreadableFilter { filter: filter.to_string(), error }]);
        }
        let unknown = queues::unknown(&standing, registry);
        if !unknown.is_empty() {
            return Err(unknown);
        }
        if let Some(nothing) =
            self.filter.as_ref().and_then(|filter| nothing_to_run(filter, &served, registry))
        {
            tracing::warn!("{nothing}");
        }
        if let Some(others) = queues::left_to_others(&served, registry) {
            tracing::warn!("{others}");
        }
        let mut queues = Vec::new();
        for (name, limits) in &self.queues {
            let id = self.client.save_served_queue(name, limits.local).await.map_err(problem)?;
            queues.push((id, name.clone(), limits.local));
        }
        Ok(queues)
    }
}
