//! What a job function may know about the attempt that runs it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use crate::attempt::held::Held;
use crate::attempt::progress::Progress;
use crate::attempt::recording::{Completion, Recording};
use crate::db::tx_pool::Places;
use crate::job::app_state::{State, States};
use crate::job::lineage::Meta;
use crate::{EnqueueError, JobError, JobHandle, JobId, NewJob};

/// What a job function may know about the attempt that runs it, and how it hears that it should stop.
///
/// Take one as an argument, in any place. [`JobContext::for_test`] makes one for a unit test.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use pgjobq::{JobContext, JobError};
///
/// /// Leaves off when it is told to, and is then handed to another worker at no cost to its retries.
/// async fn import(ctx: JobContext, pages: Vec<String>) -> Result<(), JobError> {
///     for page in pages {
///         if ctx.cancellation().is_cancelled() {
///             return Err("told to stop".into());
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
    /// Told when the worker shuts down and its grace is over, when the lease is lost, and when the job is cancelled.
    pub stop: CancellationToken,
    /// Told when another worker may have the job.
    pub lease_lost: CancellationToken,
    /// Whether somebody has asked to cancel the job.
    pub cancelled: AtomicBool,
    pub states: Arc<States>,
    pub meta: Meta,
    /// Whether some of its arguments are shown to nobody.
    pub redacts: bool,
    /// How long it may run.
    pub timeout: Duration,
    /// Where it runs; nothing in a test.
    pub held: Option<Held>,
    /// The place of a transactional job, until its transaction begins.
    pub place: Mutex<Option<Places>>,
    pub recording: Recording,
    pub progress: Progress,
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
            stop: CancellationToken::new(),
            lease_lost: CancellationToken::new(),
            cancelled: AtomicBool::new(false),
            states: Arc::default(),
            meta: Meta::default(),
            redacts: false,
            timeout: Duration::from_secs(300),
            held: None,
            place: Mutex::default(),
            recording: Recording::default(),
            progress: Progress::default(),
        }
    }
}

impl JobContext {
    #[doc(hidden)]
    #[must_use]
    pub fn new(attempt: Attempt) -> Self {
        Self { attempt: Arc::new(attempt) }
    }

    /// A context for a unit test that calls a job function: the first attempt of a new job, never told to stop.
    #[must_use]
    pub fn for_test() -> Self {
        Self::new(Attempt::for_test())
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

    /// The queue the job waited in.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.attempt.queue
    }

    /// Which attempt this is: 1 for the first. It only grows.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt.number
    }

    /// How many earlier attempts ended in an error that counted.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.attempt.failures
    }

    /// The job in which this one was enqueued.
    #[must_use]
    pub fn parent(&self) -> Option<JobId> {
        self.attempt.meta.parent
    }

    /// The W3C trace context that the job carries.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.attempt.meta.traceparent.as_deref()
    }

    /// Told when this attempt should stop: somebody has cancelled the job, the worker shuts down and its grace is over, or
    /// the lease is lost.
    #[must_use]
    pub fn cancellation(&self) -> &CancellationToken {
        &self.attempt.stop
    }

    /// Returns when somebody has cancelled the job. The attempt has some seconds to stop by itself, and is dropped then.
    pub async fn cancelled(&self) {
        self.attempt.stop.cancelled().await;
        if !self.is_cancelled() {
            std::future::pending::<()>().await; // It was told to stop for another reason.
        }
    }

    /// Somebody has asked to cancel the job.
    #[doc(hidden)]
    pub fn cancel(&self) {
        self.attempt.cancelled.store(true, Ordering::Release); // First: who hears that it should stop can ask why.
        self.attempt.stop.cancel();
    }

    /// Whether this is the same attempt.
    #[doc(hidden)]
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.attempt, &other.attempt)
    }

    #[doc(hidden)]
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.attempt.cancelled.load(Ordering::Acquire)
    }

    /// Returns when another worker may have the job, because this one was silent for too long. Whatever this attempt
    /// still returns changes nothing.
    pub async fn lease_lost(&self) {
        self.attempt.lease_lost.cancelled().await;
    }

    /// Enqueues a job that knows this one as its parent, and has its trace context. It is there at once, however this one
    /// ends; in a transactional job, `child.enqueue(&mut *tx)` makes it commit or vanish with the rest.
    ///
    /// ```
    /// # use pgjobq_core as pgjobq;
    /// # mod thumbnail { pub fn job(_: i64) -> pgjobq_core::NewJob<()> { unimplemented!() } }
    /// use pgjobq::{JobContext, JobError};
    ///
    /// async fn import(ctx: JobContext, images: Vec<i64>) -> Result<(), JobError> {
    ///     for image in images {
    ///         ctx.enqueue(thumbnail::job(image)).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// What is wrong with the job, with its queue, or with the connection; and in a test, whose context has no client.
    pub async fn enqueue<T>(&self, mut job: NewJob<T>) -> Result<JobHandle<T>, EnqueueError> {
        let held = self.attempt.held.as_ref().ok_or(EnqueueError::NoClient)?;
        job.row.meta.inherit(self.id(), self.traceparent());
        job.enqueue(&held.client).await
    }

    /// Says how far the job is, for whoever looks at its handle: [`JobHandle::progress`]. It only takes note, and is written
    /// every quarter of a second at most; the last word counts.
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

    /// Whether the attempt has completed its job in a transaction of its own.
    #[doc(hidden)]
    #[must_use]
    pub fn completion(&self) -> Completion {
        self.attempt.recording.completion()
    }

    /// The worker's state of this type.
    #[doc(hidden)]
    pub fn state<T: Send + Sync + 'static>(&self) -> Result<State<T>, JobError> {
        self.attempt.states.get().ok_or_else(|| {
            let wanted = std::any::type_name::<T>();
            JobError::from(format!(
                "the worker has no state of type `{wanted}`: give it one with `.state(…)`"
            ))
        })
    }

    /// The arguments of the job.
    #[doc(hidden)]
    pub fn decode<A: DeserializeOwned>(&self, args: &RawValue) -> Result<A, JobError> {
        crate::job::json::decode(args.get()).map_err(|error| {
            // What serde says may quote a value.
            let what = match self.attempt.redacts {
                true => format!("at line {}, column {}", error.line(), error.column()),
                false => error.to_string(),
            };
            JobError::decode(format!("the arguments do not fit the job function: {what}"))
        })
    }
}
