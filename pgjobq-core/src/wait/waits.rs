//! Waiting for jobs to end: all waits of a process share one task and one statement.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, broadcast, oneshot};
use tokio::time::sleep;

use crate::attempt::current::{Current, current};
use crate::chain::chain;
use crate::db::listen::{Listener, Signal};
use crate::db::shared::Shared;
use crate::jitter::jittered;
use crate::job::other_kind::OtherKind;
use crate::pump::{Pump, Work};
use crate::wait::lookup::{Found, Seen};
use crate::wait::pace::{MAX_JOBS, Pace};
use crate::wait::slow::{self, CHECK_AFTER, SlowWait};
use crate::{DatabaseError, JobId, WaitError};

const FIRST_POLL: Duration = Duration::from_millis(20);
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(2);
/// The time that a handle from a transaction waits to see its job: the transaction may still be open.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);
/// The time for which finishing workers notify this process after a request, and the interval of the requests.
const NOTIFICATION_PERIOD: Duration = Duration::from_secs(60);
const REQUEST_INTERVAL: Duration = Duration::from_secs(20);
/// The timeout of such a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The origin of a handle: what it knows about the enqueue of its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This process saw its enqueue commit. If its kind keeps nothing, a job whose row is gone has completed.
    Committed,
    /// It was enqueued in a caller's transaction, which may still be open.
    InTransaction,
    /// Its enqueue has dropped it: there is no such job, unless its limit has cancelled it.
    Dropped,
    /// The handle was made from an id.
    Rebuilt,
}

type Answer = Result<Found, WaitError>;

/// All waits of a process.
#[derive(Clone, Debug)]
pub(crate) struct Waits {
    shared: Arc<Shared>,
    listener: Listener,
    waiting: Pump<Waiting>,
    added: Arc<Notify>,
    process: i64,
}

/// The waiters, by job.
#[derive(Debug, Default)]
struct Waiting {
    by_job: HashMap<JobId, Vec<Waiter>>,
    /// The time of the last look that the database answered.
    answered_at: Option<Instant>,
    /// The error of the looks since then.
    trouble: Option<Arc<DatabaseError>>,
}

impl Work for Waiting {
    /// Drops the waiters: each of them then starts another task, or learns that the client was closed.
    fn abandon(&mut self) {
        self.by_job.clear();
    }
}

#[derive(Debug)]
struct Waiter {
    answer: oneshot::Sender<Answer>,
    /// The kind of the handle, and its aliases.
    kinds: Vec<&'static str>,
    origin: Origin,
    /// True if nothing is kept of the job when it completes.
    unkept: bool,
    since: Instant,
    /// The attempt whose job function waits.
    attempt: Option<Arc<Current>>,
    /// True once the wait was checked because it had lasted for [`CHECK_AFTER`].
    checked: bool,
}

impl Waiter {
    /// Returns the wait if it is time to check it.
    fn check(&mut self, job: JobId, exists: bool) -> Option<SlowWait> {
        if self.checked || self.since.elapsed() < CHECK_AFTER {
            return None;
        }
        self.checked = true;
        Some(SlowWait { job, kind: self.kinds.first()?, exists, attempt: self.attempt.clone() })
    }
}

impl Waits {
    pub(crate) fn new(shared: Arc<Shared>, listener: Listener) -> Self {
        let process = uuid::Uuid::new_v4().as_u64_pair().0 as i64;
        Self { shared, listener, waiting: Pump::default(), added: Arc::default(), process }
    }

    /// Waits until the job has ended. `kinds` are the names of the handle's kind.
    pub(crate) async fn wait(
        &self,
        job: JobId,
        kinds: Vec<&'static str>,
        origin: Origin,
        unkept: bool,
    ) -> Answer {
        let (since, attempt) = (Instant::now(), current());
        loop {
            let (answer, answered) = oneshot::channel();
            let (kinds, attempt) = (kinds.clone(), attempt.clone());
            self.add(job, Waiter { answer, kinds, origin, unkept, since, attempt, checked: false })?;
            // No answer: the runtime of the task has ended, and this one starts another task.
            if let Ok(answer) = answered.await {
                return answer;
            }
        }
    }

    /// Returns why a wait that began then may have missed the end of its job: the database does not answer.
    pub(crate) fn trouble_since(&self, began: Instant) -> Option<Arc<DatabaseError>> {
        self.waiting.with(|waiting| match &waiting.trouble {
            Some(trouble) => Some(Arc::clone(trouble)),
            None if waiting.answered_at.is_some_and(|at| at > began) => None,
            None => self.shared.exhausted(began.elapsed()).map(Arc::new),
        })
    }

    fn add(&self, job: JobId, waiter: Waiter) -> Result<(), WaitError> {
        if self.shared.stop.is_cancelled() {
            return Err(WaitError::Closed);
        }
        let waits = self.clone();
        let add = |waiting: &mut Waiting| waiting.by_job.entry(job).or_default().push(waiter);
        self.waiting.add(&self.shared.tasks, add, |running| async move {
            let _running = running; // Until the client stops, or the runtime ends.
            waits.run().await;
        });
        self.added.notify_one();
        Ok(())
    }

    async fn run(&self) {
        tokio::select! {
            () = self.shared.stop.cancelled() => {}
            () = self.answer_all_waits() => {}
        }
    }

    async fn answer_all_waits(&self) {
        let mut signals = self.listener.subscribe();
        let mut asked: Option<Instant> = None;
        let mut pause = FIRST_POLL;
        let mut pace = Pace::new();
        loop {
            let jobs = pace.in_order(self.jobs());
            if jobs.is_empty() {
                self.added.notified().await;
                pause = FIRST_POLL;
                continue;
            }
            let started = Instant::now();
            // Request notifications before the lookup, so that a job that ends in between is either found or
            // notified.
            if self.shared.limits.notifications && asked.is_none_or(|at| at.elapsed() > REQUEST_INTERVAL) {
                asked = self.ask().await.ok().map(|()| started);
            }
            let mut failed = false;
            for jobs in jobs.chunks(MAX_JOBS) {
                if let Err(error) = self.look(jobs, &mut pace).await {
                    self.fail(error);
                    failed = true;
                    break;
                }
            }
            if (pace.left_out_some() && !failed)
                || self.waiting.with(|waiting| waiting.by_job.values().all(Vec::is_empty))
            {
                continue; // Whoever awaits job after job, most of them long ended, should not pay for the rest below.
            }
            // This task takes about a quarter of one connection's time, however often it is woken. One slow answer
            // does not delay the next lookup for long.
            sleep((started.elapsed() * 3).min(MAX_POLL_INTERVAL)).await;
            tokio::select! {
                () = sleep(jittered(pause)) => pause = (pause * 2).min(MAX_POLL_INTERVAL),
                () = self.added.notified() => pause = FIRST_POLL,
                () = self.next_relevant_signal(&mut signals) => {}
            }
        }
    }

    /// Returns the jobs that are still awaited.
    fn jobs(&self) -> Vec<JobId> {
        self.waiting.with(|waiting| {
            waiting.by_job.retain(|_, waiters| {
                waiters.retain(|waiter| !waiter.answer.is_closed());
                !waiters.is_empty()
            });
            waiting.by_job.keys().copied().collect()
        })
    }

    async fn ask(&self) -> Result<(), DatabaseError> {
        let about = self.shared.about().await?;
        let ask = sqlx::query(self.shared.sql.wait_until.clone())
            .bind(about.all_shards())
            .bind(self.process)
            .bind(NOTIFICATION_PERIOD.as_micros() as i64);
        self.shared.rows_within(REQUEST_TIMEOUT, ask).await.map(drop)
    }

    /// Looks up jobs once, and answers the waiters of those that have ended. If the row of one job makes the lookup
    /// fail, finds that job.
    async fn look(&self, jobs: &[JobId], pace: &mut Pace) -> Result<(), DatabaseError> {
        let started = Instant::now();
        match (self.shared.lookup(jobs, pace.bytes, pace.limit).await, jobs) {
            (Ok(found), _) => {
                pace.answered(started.elapsed(), &found);
                self.answer(jobs, found);
                Ok(())
            }
            (Err(error), [job]) if error.is_about_content() => {
                tracing::warn!(%job, error = %chain(&error), "how this job ended cannot be read");
                self.answer_with_error(&[*job], error);
                Ok(())
            }
            (Err(error), _) if error.is_about_content() => {
                let (some, others) = jobs.split_at(jobs.len() / 2);
                Box::pin(self.look(some, pace)).await?;
                Box::pin(self.look(others, pace)).await
            }
            (Err(error), _) => {
                // The wait for the pool does not depend on the speed of the network.
                if !matches!(error, DatabaseError::NoConnection { .. }) {
                    pace.failed(started.elapsed());
                }
                Err(error)
            }
        }
    }

    fn answer(&self, jobs: &[JobId], mut seen: HashMap<JobId, Seen>) {
        let mut slow = Vec::new();
        self.waiting.with(|waiting| {
            (waiting.answered_at, waiting.trouble) = (Some(Instant::now()), None);
            for job in jobs {
                let Some(waiters) = waiting.by_job.get_mut(job) else { continue };
                let Some(Seen { kind, found }) = seen.remove(job) else {
                    answer_missing(*job, waiters);
                    slow.extend(waiters.iter_mut().filter_map(|waiter| waiter.check(*job, false)));
                    continue;
                };
                refuse_other_kinds(*job, &kind, waiters);
                match found {
                    // A caller whose job's row was seen knows that its enqueue was committed.
                    Found::Live | Found::LeftOut => {
                        waiters.iter_mut().for_each(|waiter| waiter.origin = Origin::Committed);
                        slow.extend(waiters.iter_mut().filter_map(|waiter| waiter.check(*job, true)));
                    }
                    ended => waiters.drain(..).for_each(|waiter| drop(waiter.answer.send(Ok(ended.clone())))),
                }
            }
        });
        self.check_slow(slow);
    }

    /// Checks waits that have lasted for some time, in a task that delays no answer.
    fn check_slow(&self, waits: Vec<SlowWait>) {
        if !waits.is_empty() {
            let shared = Arc::clone(&self.shared);
            self.shared.tasks.spawn(async move {
                shared.stop.run_until_cancelled(slow::check(&shared, waits)).await;
            });
        }
    }

    /// Answers the waiters of these jobs with an error.
    fn answer_with_error(&self, jobs: &[JobId], error: DatabaseError) {
        let shared = Arc::new(error);
        self.waiting.with(|waiting| {
            for waiter in jobs.iter().filter_map(|job| waiting.by_job.remove(job)).flatten() {
                let _ = waiter.answer.send(Err(Arc::clone(&shared).into()));
            }
        });
    }

    /// Logs a transient error; answers all waiters with any other one.
    fn fail(&self, error: DatabaseError) {
        if error.is_transient() {
            let text = chain(&error);
            let is_new = self.waiting.with(|waiting| waiting.trouble.replace(Arc::new(error))).is_none();
            if is_new {
                tracing::warn!(error = text, "waits for jobs go on, but the database does not answer them");
            } else {
                tracing::debug!(error = text, "looking for ended jobs failed; trying again");
            }
            return;
        }
        tracing::warn!(error = %chain(&error), "looking for ended jobs failed");
        let jobs: Vec<JobId> = self.waiting.with(|waiting| waiting.by_job.keys().copied().collect());
        self.answer_with_error(&jobs, error);
    }

    /// Returns when a signal is about an awaited job.
    async fn next_relevant_signal(&self, signals: &mut broadcast::Receiver<Signal>) {
        loop {
            match signals.recv().await {
                Ok(
                    Signal::Wake(_)
                    | Signal::Room(_)
                    | Signal::Cancel
                    | Signal::Edges
                    | Signal::Queues
                    | Signal::Resumed
                    | Signal::Limited(_)
                    | Signal::Unique,
                ) => {}
                Ok(Signal::Ended(jobs)) => {
                    let is_awaited = |waiting: &mut Waiting| {
                        jobs.iter().any(|job| waiting.by_job.contains_key(&JobId::from(*job)))
                    };
                    if self.waiting.with(is_awaited) {
                        return;
                    }
                }
                Ok(Signal::Anything) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

/// Answers those whose handle is of another kind than the job.
fn refuse_other_kinds(job: JobId, kind: &str, waiters: &mut Vec<Waiter>) {
    if waiters.iter().all(|waiter| waiter.kinds.contains(&kind)) {
        return;
    }
    for waiter in std::mem::take(waiters) {
        match OtherKind::check(job, &waiter.kinds, kind) {
            Ok(()) => waiters.push(waiter),
            Err(other) => drop(waiter.answer.send(Err(other.into()))),
        }
    }
}

/// Answers those who wait for a job that is neither live nor finished.
fn answer_missing(job: JobId, waiters: &mut Vec<Waiter>) {
    let (answered, patient) = std::mem::take(waiters).into_iter().partition(|waiter| {
        waiter.origin != Origin::InTransaction || waiter.since.elapsed() > COMMIT_TIMEOUT
    });
    *waiters = patient;
    let answered: Vec<Waiter> = answered;
    for waiter in answered {
        let answer = match waiter.origin {
            Origin::Committed if waiter.unkept => Ok(Found::completed_unkept()),
            Origin::Dropped => Err(WaitError::Dropped { id: job }),
            Origin::Committed | Origin::InTransaction | Origin::Rebuilt => {
                Err(WaitError::NotFound { id: job, schema: None })
            }
        };
        let _ = waiter.answer.send(answer);
    }
}
