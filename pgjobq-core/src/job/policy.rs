//! The policy of all jobs of a kind, from its attribute.

use std::time::Duration;

use crate::job::computed::ComputedFrom;
use crate::schedule::declared::DeclaredSchedule;
use crate::{Backoff, OnConflict, OnDuplicate, OnRetry, Priority, Rate, UniqueWhile};

/// The longest delay of a job: about a hundred years. A longer one is a mistaken unit.
pub const LONGEST_DELAY: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// The policy of all jobs of a kind, from its `#[job]` attribute. Each call may override some of it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Policy {
    /// The queue its jobs wait in.
    pub queue: &'static str,
    /// The number of tries that follow the first failure.
    pub retries: u16,
    /// The number of crashes (attempts whose worker died) that a job survives. With 0, a job that a shutdown cuts off is
    /// dead, because it may have run.
    pub max_crashes: u16,
    /// The version of the arguments that it stores.
    pub version: u16,
    /// The oldest version that it reads, too.
    pub reads_from: u16,
    /// The arguments that are redacted wherever jobs are shown.
    pub redact: &'static [&'static str],
    /// The priority of its jobs.
    pub priority: Priority,
    /// The timeout of one attempt.
    pub timeout: Duration,
    /// The time that a failed job waits.
    pub backoff: Backoff,
    /// The retention of a completed job and its result, if the kind sets one; otherwise its queue does.
    pub retain: Option<Duration>,
    /// True if each attempt runs in a transaction of its own.
    pub transactional: bool,
    /// The origin of the key of each job.
    pub key: ComputedFrom,
    /// The number of its jobs that run at a time in all workers together, for each key on its own.
    pub concurrency: Option<u16>,
    /// The answer to a new job whose key is at its limit.
    pub on_conflict: OnConflict,
    /// The permit of a job that waits to be retried; `None`: the job holds it if the limit is 1.
    pub on_retry: Option<OnRetry>,
    /// The rates at which its jobs start, for each key on its own.
    pub rates: &'static [Rate],
    /// The number of jobs that may start at once under its rate.
    pub burst: Option<u32>,
    /// The origin of the weight of each job, which counts towards the rates.
    pub weight: ComputedFrom,
    /// The origin of the value that makes a job unique.
    pub unique: ComputedFrom,
    /// The time in which a unique job is the only one.
    pub unique_while: UniqueWhile,
    /// The answer to a second one.
    pub on_duplicate: OnDuplicate,
    /// The number of jobs that one call takes at most; `None` if each job has a call of its own.
    pub batch: Option<u16>,
    /// The longest time for which a call waits for more jobs after its first.
    pub within: Duration,
    /// True if all jobs of a call have the same key.
    pub batch_by_key: bool,
    /// The schedules in its attribute.
    #[doc(hidden)]
    pub schedules: &'static [DeclaredSchedule],
}

impl Policy {
    /// The policy of `#[job]` without keys.
    pub const DEFAULT: Self = Self {
        queue: "default",
        retries: 20,
        max_crashes: 3,
        version: 1,
        reads_from: 1,
        redact: &[],
        priority: Priority::Normal,
        timeout: Duration::from_secs(5 * 60),
        backoff: Backoff::DEFAULT,
        retain: None,
        transactional: false,
        key: ComputedFrom::Nothing,
        concurrency: None,
        on_conflict: OnConflict::Wait,
        on_retry: None,
        rates: &[],
        burst: None,
        weight: ComputedFrom::Nothing,
        unique: ComputedFrom::Nothing,
        unique_while: UniqueWhile::Live,
        on_duplicate: OnDuplicate::Keep,
        batch: None,
        within: Duration::from_millis(100),
        batch_by_key: false,
        schedules: &[],
    };

    /// Returns whether nothing is kept of a job that completes.
    pub(crate) fn keeps_nothing(&self) -> bool {
        self.retain == Some(Duration::ZERO)
    }

    /// Returns whether jobs of the kind are under a limit of its own.
    pub(crate) fn is_limited(&self) -> bool {
        self.concurrency.is_some() || !self.rates.is_empty()
    }

    /// Returns whether the limit holds for each key on its own.
    pub(crate) fn is_per_key(&self) -> bool {
        self.key != ComputedFrom::Nothing
    }

    /// Returns whether a redacted argument may be in the value that makes a job unique: then its digest is stored, because people
    /// see it.
    pub(crate) fn has_secret_unique_key(&self) -> bool {
        match self.unique {
            ComputedFrom::Nothing => false,
            ComputedFrom::Arguments(names) => names.iter().any(|name| self.redact.contains(name)),
            ComputedFrom::AllArguments | ComputedFrom::Expression => !self.redact.is_empty(),
        }
    }

    /// Returns the windows of its rates, also that of the burst.
    pub(crate) fn windows(&self) -> Vec<Rate> {
        let burst = self.burst.zip(self.rates.first()).map(|(burst, rate)| rate.burst(burst));
        self.rates.iter().copied().chain(burst).collect()
    }

    /// Sets the queue.
    #[must_use]
    pub const fn queue(self, queue: &'static str) -> Self {
        Self { queue, ..self }
    }

    /// Sets the number of tries that follow the first failure.
    #[must_use]
    pub const fn retries(self, retries: u16) -> Self {
        Self { retries, ..self }
    }

    /// Sets the number of crashes that a job survives.
    #[must_use]
    pub const fn max_crashes(self, max_crashes: u16) -> Self {
        Self { max_crashes, ..self }
    }

    /// Sets the version of the arguments, and the oldest one that can be read.
    #[must_use]
    pub const fn version(self, version: u16, reads_from: u16) -> Self {
        Self { version, reads_from, ..self }
    }

    /// Sets the arguments that are redacted.
    #[must_use]
    pub const fn redact(self, redact: &'static [&'static str]) -> Self {
        Self { redact, ..self }
    }

    /// Sets the priority.
    #[must_use]
    pub const fn priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// Sets how long one attempt may run.
    #[must_use]
    pub const fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets how long a failed job waits.
    #[must_use]
    pub const fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// Sets how long a completed job is kept, with its result.
    #[must_use]
    pub const fn retain(self, retain: Duration) -> Self {
        Self { retain: Some(retain), ..self }
    }

    /// Lets each attempt run in a transaction of its own.
    #[must_use]
    pub const fn transactional(self) -> Self {
        Self { transactional: true, ..self }
    }

    /// Lets each job compute its key.
    #[must_use]
    pub const fn key(self, from: ComputedFrom) -> Self {
        Self { key: from, ..self }
    }

    /// Sets the number of jobs that run at a time, for each key on its own.
    #[must_use]
    pub const fn concurrency(self, jobs: u16) -> Self {
        Self { concurrency: Some(jobs), ..self }
    }

    /// Sets what becomes of a new job whose key is at its limit.
    #[must_use]
    pub const fn on_conflict(self, on_conflict: OnConflict) -> Self {
        Self { on_conflict, ..self }
    }

    /// Sets what a job that waits to be retried does with its place.
    #[must_use]
    pub const fn on_retry(self, on_retry: OnRetry) -> Self {
        Self { on_retry: Some(on_retry), ..self }
    }

    /// Sets the rates at which jobs start, for each key on its own.
    #[must_use]
    pub const fn rates(self, rates: &'static [Rate]) -> Self {
        Self { rates, ..self }
    }

    /// Sets the number of jobs that may start at once under the rate.
    #[must_use]
    pub const fn burst(self, burst: u32) -> Self {
        Self { burst: Some(burst), ..self }
    }

    /// Lets each job compute its weight.
    #[must_use]
    pub const fn weight(self, from: ComputedFrom) -> Self {
        Self { weight: from, ..self }
    }

    /// Makes each job unique.
    #[must_use]
    pub const fn unique(self, from: ComputedFrom) -> Self {
        Self { unique: from, ..self }
    }

    /// Sets the time in which a unique job is the only one.
    #[must_use]
    pub const fn unique_while(self, unique_while: UniqueWhile) -> Self {
        Self { unique_while, ..self }
    }

    /// Sets what becomes of a second one.
    #[must_use]
    pub const fn on_duplicate(self, on_duplicate: OnDuplicate) -> Self {
        Self { on_duplicate, ..self }
    }

    /// Sets the number of jobs that one call takes at most.
    #[must_use]
    pub const fn batch(self, jobs: u16) -> Self {
        Self { batch: Some(jobs), ..self }
    }

    /// Sets for how long a call waits for more jobs after its first.
    #[must_use]
    pub const fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// Lets each call take jobs of one key alone.
    #[must_use]
    pub const fn batch_by_key(self) -> Self {
        Self { batch_by_key: true, ..self }
    }

    /// Sets the schedules.
    #[doc(hidden)]
    #[must_use]
    pub const fn schedules(self, schedules: &'static [DeclaredSchedule]) -> Self {
        Self { schedules, ..self }
    }
}
