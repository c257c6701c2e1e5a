//! The policy of all jobs of a kind, from its attribute.

use std::time::Duration;

use crate::{Backoff, Priority};

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
}

impl Policy {
    /// The policy of `#[job]` without keys.
    pub const DEFAULT: Self = Self {
        queue: "default",
        retries: 20,
        max_crashes: 3,
        priority: Priority::Normal,
        timeout: Duration::from_secs(5 * 60),
        backoff: Backoff::DEFAULT,
        retain: None,
        transactional: false,
    };

    /// Returns whether nothing is kept of a job that completes.
    pub(crate) fn keeps_nothing(&self) -> bool {
        self.retain == Some(Duration::ZERO)
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
}
