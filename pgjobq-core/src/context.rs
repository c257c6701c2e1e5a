//! What a job function may know about the attempt that runs it.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use crate::state::{State, States};
use crate::{JobError, JobId};

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
    attempt: Arc<Attempt>,
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
    /// Told when the worker shuts down and its grace is over, and when the lease is lost.
    pub stop: CancellationToken,
    /// Told when another worker may have the job.
    pub lease_lost: CancellationToken,
    pub states: Arc<States>,
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
        Self::new(Attempt {
            job: JobId::new(),
            kind: "test",
            queue: "test".into(),
            number: 1,
            failures: 0,
            stop: CancellationToken::new(),
            lease_lost: CancellationToken::new(),
            states: Arc::default(),
        })
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

    /// Told when this attempt should stop: the worker shuts down and its grace is over, or the lease is lost.
    #[must_use]
    pub fn cancellation(&self) -> &CancellationToken {
        &self.attempt.stop
    }

    /// Returns when another worker may have the job, because this one was silent for too long. Whatever this attempt
    /// still returns changes nothing.
    pub async fn lease_lost(&self) {
        self.attempt.lease_lost.cancelled().await;
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
        serde_json::from_str(args.get())
            .map_err(|error| JobError::decode(format!("the arguments do not fit the job function: {error}")))
    }
}
