//! A worker process of a test.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::join_all;
use pgjobq_core::worker_api::{JobDescriptor, Registry, States};
use pgjobq_core::{Client, DatabaseError};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::firing::{Firing, fire};
use super::upkeep::{take_back, tend};
use crate::claim::one::{begin_calls, claim_one};
use crate::record::recorders::LAGGARDS;
use crate::record::{finisher, laggards};
use crate::runtime::Runtime;
use crate::setup::{BuildError, SetupProblem};
use crate::upkeep::follow_ups::Follower;
use crate::upkeep::{every, heartbeat};
use crate::worker::Worker;

/// The lease of the worker. It sends no heartbeats, so that a worker beside it must not give it up while a test runs.
const LEASE: Duration = Duration::from_secs(24 * 60 * 60);
const HEARTBEAT: Duration = Duration::from_secs(60 * 60);
/// The time that attempts have to be dropped.
const DROP_TIMEOUT: Duration = Duration::from_secs(5);

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;
type Claim = Pin<Box<dyn Future<Output = Result<Option<&'static JobDescriptor>, DatabaseError>> + Send>>;

/// A worker process of a test, with all job functions of the program. While no step is taken, it does nothing.
pub struct Process {
    runtime: Arc<Runtime>,
    queues: Vec<String>,
    /// Records results.
    recording: Task,
    /// Acts on requests to cancel while jobs run.
    following: Task,
    /// The claim whose step was dropped. The next one goes on with it, because the database may have given it a job.
    claim: Option<Claim>,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Process").field("runtime", &self.runtime).finish_non_exhaustive()
    }
}

impl Process {
    /// Returns the queues that the job functions of this program name.
    #[must_use]
    pub fn linked_queues() -> Vec<String> {
        let (registry, _) = Registry::linked();
        registry.jobs().map(|job| job.policy.queue.to_owned()).collect()
    }

    /// Starts a process that serves these queues, and runs at most `at_once` jobs of each at a time. It runs the kinds whose states
    /// it has.
    ///
    /// # Errors
    ///
    /// Those of [`WorkerBuilder::build`](crate::WorkerBuilder::build), but for missing states.
    pub async fn start(
        client: &Client,
        queues: Vec<String>,
        states: States,
        at_once: usize,
    ) -> Result<Self, BuildError> {
        let mut builder =
            Worker::builder(client).name("test").lease(LEASE).heartbeat(HEARTBEAT).connections(2);
        for queue in &queues {
            builder = builder.queue(queue, at_once);
        }
        let matters = |problem: &SetupProblem| !matches!(problem, SetupProblem::MissingState { .. });
        let (runtime, inboxes) = builder.states(states).make(matters).await?;
        runtime.home.get_or_init(Handle::current);
        let registered = runtime.register(&runtime.store, runtime.worker()).await;
        registered.map_err(|error| BuildError { problems: vec![error.into()] })?;
        runtime.liveness.answered(Instant::now());
        runtime.attempts.close(); // So that it can be waited for again and again. Attempts begin nevertheless.
        let recorders = inboxes.into_iter().enumerate().map(|(place, inbox)| match place {
            LAGGARDS => laggards::record(Arc::clone(&runtime), inbox).boxed(),
            place => finisher::record(Arc::clone(&runtime), place, inbox).boxed(),
        });
        let recording = join_all(recorders).map(drop).boxed();
        let following = every(Follower::new(Arc::clone(&runtime))).boxed();
        Ok(Self { runtime, queues, recording, following, claim: None })
    }

    /// The queues that it serves.
    #[must_use]
    pub fn queues(&self) -> &[String] {
        &self.queues
    }

    /// Returns the kinds that it can run, as a claim names them: those whose states it has.
    #[must_use]
    pub fn kinds(&self) -> &[String] {
        &self.runtime.kinds.all
    }

    /// Claims the next job of all lines, and begins its attempt, or adds it to a call for several jobs. Returns its job function; `None`
    /// if no job may begin. Then such calls begin: nobody waits for jobs that only the test could enqueue.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn claim(
        &mut self,
        withholds_results: bool,
    ) -> Result<Option<&'static JobDescriptor>, DatabaseError> {
        let runtime = Arc::clone(&self.runtime);
        let claim = self.claim.get_or_insert_with(|| async move { claim_one(&runtime).await }.boxed());
        let claimed = beside(claim, &mut self.following, &mut self.recording, withholds_results).await;
        self.claim = None;
        let claimed = claimed?;
        if claimed.is_none() {
            self.begin_calls();
        }
        Ok(claimed)
    }

    /// Begins the calls for several jobs with those that they have.
    pub fn begin_calls(&mut self) {
        begin_calls(&self.runtime);
    }

    /// Does all upkeep that is due, until nothing is left.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn tend(&mut self) -> Result<(), DatabaseError> {
        beside(tend(&self.runtime), &mut self.following, &mut self.recording, true).await
    }

    /// Fires the next tick of a schedule, as if its time had come. Its job is enqueued, and runs when a claim finds it.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn fire(&mut self, name: &str) -> Result<Firing, DatabaseError> {
        beside(fire(&self.runtime, name), &mut self.following, &mut self.recording, true).await
    }

    /// Returns the number of attempts that run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.runtime.attempts.len()
    }

    /// Waits until no attempt runs. Meanwhile requests to cancel reach the attempts, and their results are recorded unless they are
    /// withheld.
    pub async fn attempts_ended(&mut self, withholds_results: bool) {
        beside(self.runtime.attempts.wait(), &mut self.following, &mut self.recording, withholds_results)
            .await;
    }

    /// Waits until every result has been recorded.
    pub async fn results_recorded(&mut self) {
        beside(self.runtime.all_recorded(), &mut self.following, &mut self.recording, false).await;
    }

    /// Loses all leases, as if other workers had found this one silent for too long: they delete its row and take back its jobs, and
    /// its next heartbeat finds that out.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn lose_leases(&mut self) -> Result<(), DatabaseError> {
        let runtime = &self.runtime;
        runtime.store.leave(runtime.worker()).await?;
        take_back(runtime).await?;
        heartbeat::start_anew(runtime, &runtime.store).await
    }

    /// Ends as if it were killed: nothing more of it is recorded, and its jobs stay leased until another worker takes them back. Here
    /// that happens at once.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn die(self) -> Result<(), DatabaseError> {
        let runtime = Arc::clone(&self.runtime);
        runtime.stages.end.cancel();
        drop((self.recording, self.following, self.claim)); // Results that are sent from now on reach nobody.
        runtime.stages.drop_attempts.cancel();
        if timeout(DROP_TIMEOUT, runtime.attempts.wait()).await.is_err() {
            tracing::warn!(attempts = runtime.attempts.len(), "attempts that never await cannot be dropped");
        }
        let left = runtime.store.leave(runtime.worker()).await;
        runtime.store.close().await;
        left
    }

    /// Signs off.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn end(mut self) -> Result<(), DatabaseError> {
        self.results_recorded().await;
        self.die().await
    }
}

/// Takes a step while the tasks go on: one that stood still in a statement would keep its connection, which the step may need.
async fn beside<T>(
    step: impl Future<Output = T>,
    following: &mut Task,
    recording: &mut Task,
    withholds_results: bool,
) -> T {
    let tasks = async {
        tokio::select! {
            () = following => {}
            () = recording, if !withholds_results => {}
        }
        std::future::pending::<()>().await; // They do not end before the process does.
    };
    tokio::select! {
        done = step => done,
        () = tasks => unreachable!("they are pending for ever"),
    }
}
