//! The attempt, as its job function sees it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::value::RawValue;

use crate::attempt::held::Held;
use crate::attempt::progress::Progress;
use crate::attempt::recording::{Completion, Recording};
use crate::attempt::stop::{Stop, StopReason};
use crate::client::Client;
use crate::db::time::time;
use crate::db::tx_pool::Places;
use crate::job::app_state::{State, States};
use crate::job::lineage::Meta;
use crate::job::stored_args::StoredArgs;
use crate::schedule::tick::Tick;
use crate::trace::context::TraceContext;
use crate::workflow::draft::Draft;
use crate::{JobError, JobId};

/// The attempt that runs a job function: its job, the request to stop, its progress, and its client.
///
/// A job function takes it as an argument, in any place. [`JobContext::for_test`] makes one for a unit test.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use pgjobq::{JobContext, JobError};
///
/// /// Stops when asked to. After a shutdown another worker runs the job again, at no cost to its retries.
/// async fn import(ctx: JobContext, pages: Vec<String>) -> Result<(), JobError> {
///     for page in pages {
///         if ctx.should_stop() {
///             return Err("stopped".into());
///         }
///         println!("attempt {} of {}: {page}", ctx.attempt(), ctx.id());
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct JobContext {
    pub(crate) attempt: Arc<Attempt>,
}

/// One run of a job.
#[doc(hidden)]
#[derive(Debug)]
pub struct Attempt {
    pub job: JobId,
    pub kind: &'static str,
    pub queue: Arc<str>,
    pub number: u32,
    pub failures: u32,
    pub stop: Stop,
    pub states: Arc<States>,
    pub meta: Meta,
    /// Set if some of its arguments are redacted.
    pub redacts: bool,
    /// The timeout of the attempt.
    pub timeout: Duration,
    /// Its right to write about the job; `None` in a test.
    pub held: Option<Held>,
    /// The client of a test.
    pub test_client: Option<Client>,
    /// The place of a transactional job, until its transaction begins.
    pub place: Mutex<Option<Places>>,
    pub recording: Recording,
    pub progress: Progress,
    /// The steps that it adds to its workflow. `None` if it may add none: it is no step, or is transactional.
    pub growth: Option<Mutex<Option<Draft>>>,
}

impl Attempt {
    /// The first attempt of a new job, of a test.
    #[must_use]
    pub fn for_test() -> Self {
        Self {
            job: JobId::new(),
            kind: "test",
            queue: "test".into(),
            number: 1,
            failures: 0,
            stop: Stop::default(),
            states: Arc::default(),
            meta: Meta::default(),
            redacts: false,
            timeout: Duration::from_secs(300),
            held: None,
            test_client: None,
            place: Mutex::default(),
            recording: Recording::default(),
            progress: Progress::default(),
            growth: None,
        }
    }

    pub(super) fn client(&self) -> Option<&Client> {
        self.held.as_ref().map(|held| &held.client).or(self.test_client.as_ref())
    }
}

impl JobContext {
    #[doc(hidden)]
    #[must_use]
    pub fn new(attempt: Attempt) -> Self {
        Self { attempt: Arc::new(attempt) }
    }

    /// Makes a context for a unit test that calls a job function: the first attempt of a new job, which is never asked to stop.
    /// It has no client: [`enqueue`](Self::enqueue) fails, and [`client`](Self::client) panics.
    #[must_use]
    pub fn for_test() -> Self {
        Self::new(Attempt::for_test())
    }

    /// Makes a context for a unit test of a job function that enqueues jobs, or uses the client.
    #[must_use]
    pub fn for_test_with(client: &Client) -> Self {
        Self::new(Attempt { test_client: Some(client.clone()), ..Attempt::for_test() })
    }

    /// The job's id. It is the same in every attempt, which makes it a good idempotency key.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.attempt.job
    }

    /// The job's kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.attempt.kind
    }

    /// The queue in which the job waited.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.attempt.queue
    }

    /// The number of this attempt: 1 for the first. It only grows.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt.number
    }

    /// The number of earlier attempts that ended in an error that counted.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.attempt.failures
    }

    /// The job whose attempt enqueued this one.
    #[must_use]
    pub fn parent(&self) -> Option<JobId> {
        self.attempt.meta.parent
    }

    /// Returns the tick of the schedule that enqueued the job; `None` if none did, or a person had it run at another time. It is the
    /// same in every attempt, so it says which day a daily report is about.
    #[must_use]
    pub fn tick(&self) -> Option<Tick> {
        let meta = &self.attempt.meta;
        Some(Tick { schedule: meta.schedule.clone()?.into(), at: time(meta.tick?) })
    }

    /// The W3C trace context that the job carries.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.attempt.meta.traceparent.as_deref()
    }

    /// Returns the W3C trace context that the job carries, with its `tracestate`.
    #[must_use]
    pub fn trace(&self) -> Option<TraceContext> {
        self.attempt.meta.trace()
    }

    /// Waits until this attempt should stop, and returns why: the job was cancelled, the worker shuts down and its grace is
    /// over, or the lease is lost. After that the attempt has some seconds to end by itself.
    ///
    /// An error that the job function returns then is no failure. A job whose worker shuts down runs again elsewhere, with all
    /// its retries.
    ///
    /// ```
    /// # use pgjobq_core as pgjobq;
    /// # async fn upload(_: &str) -> Result<(), pgjobq::JobError> { Ok(()) }
    /// use pgjobq::{JobContext, JobError};
    ///
    /// async fn back_up(ctx: JobContext, file: String) -> Result<(), JobError> {
    ///     tokio::select! {
    ///         done = upload(&file) => done,
    ///         why = ctx.stop_requested() => Err(format!("stopped: {why:?}").into()),
    ///     }
    /// }
    /// ```
    pub async fn stop_requested(&self) -> StopReason {
        self.attempt.stop.requested().await
    }

    /// Reports whether this attempt should stop: for a loop, or for a thread that cannot await
    /// [`stop_requested`](Self::stop_requested).
    #[must_use]
    pub fn should_stop(&self) -> bool {
        self.stop_reason().is_some()
    }

    /// Returns why this attempt should stop, or `None` if it should go on. Of several reasons it returns a lost lease first, and
    /// then a cancellation.
    #[must_use]
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.attempt.stop.reason()
    }

    #[doc(hidden)]
    #[must_use]
    pub fn stop(&self) -> &Stop {
        &self.attempt.stop
    }

    /// Reports whether this is the same attempt.
    #[doc(hidden)]
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.attempt, &other.attempt)
    }

    /// The client of the worker that runs this attempt: to enqueue many jobs, or to look at others.
    ///
    /// A job that [`enqueue`](Self::enqueue) sends knows this one as its parent; a job that is enqueued through the client does
    /// not.
    ///
    /// # Panics
    ///
    /// In a context from [`for_test`](Self::for_test), which has no client: use [`for_test_with`](Self::for_test_with).
    #[must_use]
    pub fn client(&self) -> &Client {
        self.attempt
            .client()
            .expect("a context of `for_test` has no client: make it with `for_test_with(&client)`")
    }

    /// Reports the progress of the job, which [`JobHandle::progress`](crate::JobHandle::progress) reads. The call only takes a note. It is
    /// written at most every quarter of a second; the last report counts.
    ///
    /// ```
    /// # use pgjobq_core as pgjobq;
    /// # async fn example(ctx: pgjobq::JobContext) {
    /// ctx.progress(40, "resizing");
    /// # }
    /// ```
    pub fn progress(&self, percent: u8, message: impl Into<String>) {
        if let Some(held) = &self.attempt.held {
            self.attempt.progress.report(held, percent, message.into());
        }
    }

    /// Returns whether the attempt has completed its job in its own transaction.
    #[doc(hidden)]
    #[must_use]
    pub fn completion(&self) -> Completion {
        self.attempt.recording.completion()
    }

    /// Returns the worker's state of this type.
    #[doc(hidden)]
    pub fn state<T: Send + Sync + 'static>(&self) -> Result<State<T>, JobError> {
        self.attempt.states.get().ok_or_else(|| {
            let wanted = std::any::type_name::<T>();
            JobError::from(format!(
                "the worker has no state of type `{wanted}`: give it one with `.state(…)`"
            ))
        })
    }

    /// Returns the arguments of the job, to be read.
    #[doc(hidden)]
    #[must_use]
    pub fn stored<'a>(&self, args: &'a RawValue) -> StoredArgs<'a> {
        StoredArgs::new(args, self.attempt.meta.version(), self.attempt.redacts)
    }
}
