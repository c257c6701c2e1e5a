//! The events.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{FailureReason, JobId};

/// Something that happened in this process.
///
/// Each event is emitted by the process that did it, after the database has confirmed it. So the events of all processes together
/// count each thing once.
///
/// For each attempt there is one [`Started`](Event::Started), and then exactly one [`Ended`](Event::Ended) or
/// [`LeaseLost`](Event::LeaseLost), unless the process dies: then another one emits [`CrashRecovered`](Event::CrashRecovered).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A job was enqueued.
    Enqueued(Enqueued),
    /// A worker has claimed a job.
    Claimed(Claimed),
    /// An attempt has started.
    Started(Started),
    /// An attempt has ended, and its result is recorded; or a job has ended without an attempt.
    Ended(Ended),
    /// An attempt lost its lease, so that its result was not recorded. The job runs again, or has run elsewhere.
    LeaseLost(LeaseLost),
    /// The database refused a result because another worker may have the job.
    StaleResult(StaleResult),
    /// A lease of a worker that died was taken back.
    CrashRecovered(CrashRecovered),
    /// A sweep found jobs that claims had passed: those of transactions that committed late.
    Swept(Swept),
    /// Scheduled jobs came due.
    Promoted(Promoted),
    /// A statement was sent about several jobs.
    Batch(Batch),
    /// The database does not answer.
    ConnectionLost(ConnectionLost),
    /// The database answers again.
    ConnectionRegained(ConnectionRegained),
    /// This observer was too slow, and events were dropped before this one.
    Dropped(Dropped),
}

/// The job that an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObservedJob {
    /// Its id.
    pub id: JobId,
    /// Its kind; empty if nothing about it was kept.
    pub kind: Cow<'static, str>,
    /// Its queue; empty if nothing about it was kept.
    pub queue: Arc<str>,
    /// The number of the attempt: 1 is the first, and 0 stands for none.
    pub attempt: u32,
}

/// A job was enqueued.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Enqueued {
    /// The job.
    pub job: ObservedJob,
    /// False if it was enqueued in the caller's own transaction, which may still be rolled back.
    pub committed: bool,
}

/// A worker has claimed a job, and will start it soon.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claimed {
    /// The job, with the attempt that follows.
    pub job: ObservedJob,
}

/// An attempt has started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Started {
    /// The job.
    pub job: ObservedJob,
    /// The time since the job was due; `None` if it is unknown, as for a quarantined job.
    pub wait: Option<Duration>,
}

/// An attempt has ended, and its result is recorded; or a job has ended without an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// The job. If no attempt has ended now, `attempt` is the number of the last one, or 0.
    pub job: ObservedJob,
    /// The outcome.
    pub outcome: Outcome,
    /// The reason, if an attempt has failed.
    pub reason: Option<FailureReason>,
    /// The time from when the job was due until the attempt started; `None` if it is unknown, or without an attempt.
    pub wait: Option<Duration>,
    /// The run time of the attempt; `None` if no attempt has ended now.
    pub run: Option<Duration>,
}

/// The outcome of an attempt, or of a job without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The job is done.
    Completed,
    /// The attempt failed, and the job is tried again.
    Retried,
    /// The job asked to be run again later.
    Snoozed,
    /// The attempt was stopped, and the job runs again. No failure.
    Released,
    /// The job is dead.
    Dead,
    /// The job is cancelled.
    Cancelled,
    /// The job was not started in time.
    Expired,
}

/// An attempt lost its lease, or its worker ended before the result could be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseLost {
    /// The job.
    pub job: ObservedJob,
}

/// The database refused a result because another worker may have the job. The same attempt has lost its lease.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StaleResult {
    /// The job.
    pub job: ObservedJob,
    /// The outcome that was refused.
    pub outcome: Outcome,
}

/// A lease of a worker that died was taken back, with all of its jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CrashRecovered {
    /// The queue; `None` if this worker does not serve it.
    pub queue: Option<Arc<str>>,
    /// The number of jobs that run again.
    pub requeued: u64,
    /// The number of jobs that are dead, because they have crashed too often. Each is [`Ended`] as well.
    pub buried: u64,
    /// The number of jobs that are cancelled, because someone had requested it. Each is [`Ended`] as well.
    pub cancelled: u64,
}

/// A sweep found jobs that claims had passed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// The queue.
    pub queue: Arc<str>,
    /// The number of jobs.
    pub jobs: u64,
}

/// Scheduled jobs came due.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Promoted {
    /// The number of jobs.
    pub jobs: u64,
}

/// A statement was sent about several jobs, or about one that might have been several.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// The operation.
    pub of: BatchOf,
    /// The number of jobs; a claim that finds none is no batch.
    pub size: u64,
}

/// The operation of a statement about several jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BatchOf {
    /// It enqueued jobs.
    Enqueue,
    /// It claimed jobs.
    Claim,
    /// It recorded the ends of attempts.
    Finish,
}

/// The database does not answer this process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionLost {
    /// The error.
    pub error: Arc<str>,
}

/// The database answers this process again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionRegained {
    /// The time since the loss.
    pub after: Duration,
}

/// Events were dropped, because the observer was too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// The number of events.
    pub count: u64,
}

impl Event {
    /// A statement recorded the ends of this many attempts.
    #[doc(hidden)]
    #[must_use]
    pub fn finished(attempts: usize) -> Self {
        Self::Batch(Batch { of: BatchOf::Finish, size: attempts as u64 })
    }

    /// A claim took this many jobs.
    #[doc(hidden)]
    #[must_use]
    pub fn claim(jobs: usize) -> Self {
        Self::Batch(Batch { of: BatchOf::Claim, size: jobs as u64 })
    }

    /// A worker has claimed this job.
    #[doc(hidden)]
    #[must_use]
    pub fn claimed(id: JobId, kind: &'static str, queue: &Arc<str>, attempt: u32) -> Self {
        Self::Claimed(Claimed {
            job: ObservedJob { id, kind: kind.into(), queue: Arc::clone(queue), attempt },
        })
    }

    /// A sweep found this many jobs in a queue.
    #[doc(hidden)]
    #[must_use]
    pub fn swept(queue: &Arc<str>, jobs: usize) -> Self {
        Self::Swept(Swept { queue: Arc::clone(queue), jobs: jobs as u64 })
    }

    /// This many jobs came due.
    #[doc(hidden)]
    #[must_use]
    pub fn promoted(jobs: u64) -> Self {
        Self::Promoted(Promoted { jobs })
    }

    /// A lease of a worker that is gone was taken back.
    #[doc(hidden)]
    #[must_use]
    pub fn crash_recovered(queue: Option<Arc<str>>, requeued: u64, buried: usize, cancelled: usize) -> Self {
        let (buried, cancelled) = (buried as u64, cancelled as u64);
        Self::CrashRecovered(CrashRecovered { queue, requeued, buried, cancelled })
    }

    pub(crate) fn enqueue(jobs: usize) -> Self {
        Self::Batch(Batch { of: BatchOf::Enqueue, size: jobs as u64 })
    }

    pub(crate) fn connection_lost(error: &dyn fmt::Display) -> Self {
        Self::ConnectionLost(ConnectionLost { error: error.to_string().into() })
    }

    pub(crate) fn connection_regained(after: Duration) -> Self {
        Self::ConnectionRegained(ConnectionRegained { after })
    }

    /// Returns the job that it is about, if it is about one.
    ///
    /// ```
    /// # use pgjobq_core as pgjobq;
    /// fn print_job(event: &pgjobq::observe::Event) {
    ///     if let Some(job) = event.job() {
    ///         println!("{} in {}", job.kind, job.queue);
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn job(&self) -> Option<&ObservedJob> {
        match self {
            Self::Enqueued(event) => Some(&event.job),
            Self::Claimed(event) => Some(&event.job),
            Self::Started(event) => Some(&event.job),
            Self::Ended(event) => Some(&event.job),
            Self::LeaseLost(event) => Some(&event.job),
            Self::StaleResult(event) => Some(&event.job),
            Self::CrashRecovered(_)
            | Self::Swept(_)
            | Self::Promoted(_)
            | Self::Batch(_)
            | Self::ConnectionLost(_)
            | Self::ConnectionRegained(_)
            | Self::Dropped(_) => None,
        }
    }
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 7] = [
        Self::Completed,
        Self::Retried,
        Self::Snoozed,
        Self::Released,
        Self::Dead,
        Self::Cancelled,
        Self::Expired,
    ];

    /// Returns the word for it, as metrics have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Retried => "retried",
            Self::Snoozed => "snoozed",
            Self::Released => "released",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// Returns whether the job has ended with it, so that it does not run again.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Completed | Self::Dead | Self::Cancelled | Self::Expired => true,
            Self::Retried | Self::Snoozed | Self::Released => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl BatchOf {
    /// Returns the word for it, as metrics have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enqueue => "enqueue",
            Self::Claim => "claim",
            Self::Finish => "finish",
        }
    }
}
