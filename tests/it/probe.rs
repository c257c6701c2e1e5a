//! Probes: a test observes and holds its job functions, which find its probe by a number among their arguments.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::Duration;

use pgjobq::sqlx::PgPool;
use pgjobq::{Client, JobContext, JobHandle, JobId, Outcome};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use crate::harness::PATIENCE;

static PROBES: LazyLock<Mutex<HashMap<u64, Arc<Probe>>>> = LazyLock::new(Mutex::default);

/// The runs of one test's jobs, and the gate that they wait for.
pub(crate) struct Probe {
    pub(crate) number: u64,
    runs: Mutex<Vec<(JobId, u32)>>,
    running: AtomicUsize,
    most: AtomicUsize,
    /// The number of times that a job function reported to have reached the point that its test waits for.
    pub(crate) reached: AtomicUsize,
    pub(crate) gate: Semaphore,
    /// A pool for job functions that write to the database.
    pub(crate) pool: OnceLock<PgPool>,
}

/// An attempt that counts as running until it ends or is dropped.
pub(crate) struct Run(Arc<Probe>);

impl Probe {
    pub(crate) fn new() -> Arc<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let number = NEXT.fetch_add(1, Ordering::SeqCst) as u64;
        let probe = Arc::new(Self {
            number,
            runs: Mutex::default(),
            running: 0.into(),
            most: 0.into(),
            reached: 0.into(),
            gate: Semaphore::new(0),
            pool: OnceLock::new(),
        });
        PROBES.lock().unwrap().insert(number, Arc::clone(&probe));
        probe
    }

    pub(crate) fn of(number: u64) -> Arc<Self> {
        Arc::clone(&PROBES.lock().unwrap()[&number])
    }

    /// Records that an attempt begins.
    pub(crate) fn begin(self: &Arc<Self>, ctx: &JobContext) -> Run {
        self.runs.lock().unwrap().push((ctx.id(), ctx.attempt()));
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        Run(Arc::clone(self))
    }

    /// Waits until the test lets one more attempt pass.
    pub(crate) async fn pass(&self) {
        self.gate.acquire().await.unwrap().forget();
    }

    /// Returns every attempt that has begun, in that order.
    pub(crate) fn runs(&self) -> Vec<(JobId, u32)> {
        self.runs.lock().unwrap().clone()
    }

    /// Returns the number of attempts that run now.
    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// Returns the highest number of attempts that ran at one time.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    pub(crate) fn reached(&self) -> usize {
        self.reached.load(Ordering::SeqCst)
    }

    /// Returns when this is true of the probe; panics at the timeout.
    #[track_caller]
    pub(crate) fn until(&self, what: impl Fn(&Self) -> bool) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let looked = async {
                while !what(self) {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            tokio::time::timeout(PATIENCE, looked).await.unwrap_or_else(|_| {
                panic!(
                    "the condition at {caller} never became true: runs {:?}, running {}",
                    self.runs(),
                    self.running()
                );
            });
        }
    }
}

/// Waits for a job's outcome; panics at the timeout.
#[track_caller]
pub(crate) fn end_of<T: DeserializeOwned>(
    client: &Client,
    job: &JobHandle<T>,
) -> impl Future<Output = Outcome<T>> {
    let caller = std::panic::Location::caller();
    async move {
        let ended = job.wait_timeout(client, PATIENCE).await;
        ended.unwrap_or_else(|error| panic!("{error}, at {caller}"))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}
