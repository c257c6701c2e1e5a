//! Faults on demand. Each happens as it does in production: the process that runs the job really ends, and another one takes its
//! jobs back.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgjobq_core::worker_api::Registry;
use tokio::sync::{Notify, oneshot};

/// Faults that a test lets happen: from [`TestQueue::faults`](super::TestQueue::faults). Cheap to clone, for instance into a state of
/// a job function.
///
/// The worker of a test dies or loses its leases, and its jobs are taken back at once, as by a worker that has waited for the lease
/// to end. Each such job has crashed once more, waits in quarantine, and runs again within the same
/// [`drain`](super::TestQueue::drain).
///
/// ```no_run
/// use pgjobq::prelude::*;
/// use pgjobq::testing::{Faults, TestQueue};
///
/// #[job]
/// async fn charge(ctx: JobContext, cents: u32, faults: State<Faults>) {
///     println!("charged {cents}");
///     if ctx.attempt() == 1 {
///         faults.crash_here().await;
///     }
/// }
///
/// # async fn example(pg: TestQueue) -> std::result::Result<(), pgjobq::Error> {
/// pg.state(pg.faults().clone());
/// charge::enqueue(pg.client(), 500).await?;
/// let drained = pg.drain().await?; // It charges twice: is your job idempotent?
/// assert_eq!((drained.lost(), drained.completed()), (1, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Faults {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    armed: Mutex<HashMap<String, VecDeque<Fault>>>,
    requests: Mutex<VecDeque<Request>>,
    requested: Notify,
    /// The number of drains that run: at most one.
    running: AtomicUsize,
}

/// A fault that hits a process when the attempt of a job has ended, and before its result is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Crash,
    LoseLease,
}

/// A fault that is to happen now.
#[derive(Debug)]
pub(super) enum Request {
    Crash,
    LoseLease(oneshot::Sender<()>),
}

impl Faults {
    /// Lets the worker crash after the next attempt of this kind: the job function has returned, and its result is not recorded.
    /// That is the worst moment, because everything that the job does has happened. Several calls are for as many attempts.
    ///
    /// # Panics
    ///
    /// If no job function of the program has this kind.
    ///
    /// ```no_run
    /// # use pgjobq::prelude::*;
    /// # use pgjobq::testing::TestQueue;
    /// # #[job]
    /// # async fn charge(cents: u32) {}
    /// # async fn example(pg: TestQueue) {
    /// pg.faults().crash_after(charge::KIND);
    /// # }
    /// ```
    pub fn crash_after(&self, kind: &str) {
        self.arm(kind, Fault::Crash);
    }

    /// Lets the worker lose its lease during the next attempt of this kind. The attempt ends as it does, and the database refuses its
    /// result.
    ///
    /// # Panics
    ///
    /// If no job function of the program has this kind.
    pub fn lose_lease_during(&self, kind: &str) {
        self.arm(kind, Fault::LoseLease);
    }

    /// Crashes the worker here: the job function that awaits this never continues, and nothing of its attempt is recorded.
    ///
    /// # Panics
    ///
    /// Outside of a job function that [`drain`](super::TestQueue::drain) or [`run_one`](super::TestQueue::run_one) runs.
    pub async fn crash_here(&self) -> ! {
        self.request(Request::Crash);
        loop {
            std::future::pending::<()>().await;
        }
    }

    /// Loses the lease of the job here, and all others of the worker. The job function goes on:
    /// [`should_stop`](crate::JobContext::should_stop) is true from now on, and the database refuses its result.
    ///
    /// # Panics
    ///
    /// Those of [`crash_here`](Self::crash_here).
    pub async fn lose_lease_here(&self) {
        let (done, lost) = oneshot::channel();
        self.request(Request::LoseLease(done));
        let _ = lost.await; // If the drain has ended with an error, nobody answers.
    }

    fn arm(&self, kind: &str, fault: Fault) {
        let (jobs, _) = Registry::linked();
        assert!(
            jobs.get(kind).is_some(),
            "no job function has the kind `{kind}`, so this fault would never happen: write `{kind}::KIND`, which the compiler checks"
        );
        lock(&self.shared.armed).entry(kind.to_owned()).or_default().push_back(fault);
    }

    fn request(&self, request: Request) {
        assert!(
            self.shared.running.load(Ordering::Acquire) > 0,
            "no job runs here: a fault happens within a job function that `drain` or `run_one` runs"
        );
        lock(&self.shared.requests).push_back(request);
        self.shared.requested.notify_one();
    }

    /// Takes the fault that awaits the next attempt of this kind.
    pub(super) fn take(&self, kind: &str) -> Option<Fault> {
        lock(&self.shared.armed).get_mut(kind)?.pop_front()
    }

    /// Notes that jobs run, until the guard is dropped. What was requested before is void.
    pub(super) fn begin(&self) -> JobsRun {
        lock(&self.shared.requests).clear();
        self.shared.running.fetch_add(1, Ordering::AcqRel);
        JobsRun(self.clone())
    }

    /// Waits for a fault that is to happen now.
    pub(super) async fn requested(&self) -> Request {
        loop {
            if let Some(request) = lock(&self.shared.requests).pop_front() {
                return request;
            }
            self.shared.requested.notified().await;
        }
    }
}

/// Says that jobs run.
pub(super) struct JobsRun(Faults);

impl Drop for JobsRun {
    fn drop(&mut self) {
        self.0.shared.running.fetch_sub(1, Ordering::AcqRel);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
