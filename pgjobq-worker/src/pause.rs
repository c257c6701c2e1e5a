//! How long a loop waits after an error: longer each time, never in step with others, never for ever.

use std::time::Duration;

/// How long a loop waits after an error.
#[derive(Debug)]
pub(crate) struct Pause {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Pause {
    const FIRST: Duration = Duration::from_millis(20);
    const MOST: Duration = Duration::from_secs(3);

    pub(crate) fn new() -> Self {
        Self::up_to(Self::MOST)
    }

    /// One that grows up to this.
    pub(crate) fn up_to(most: Duration) -> Self {
        Self { first: Self::FIRST, most, next: Self::FIRST }
    }

    /// Of a lane that another session holds: mostly a claim, which takes a few milliseconds.
    pub(crate) fn of_locks() -> Self {
        let first = Duration::from_millis(2);
        Self { first, most: Duration::from_millis(250), next: first }
    }

    /// After a success.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }

    /// After an error.
    pub(crate) fn after_error(&mut self) -> Duration {
        let pause = jittered(self.next);
        self.next = (self.next * 2).min(self.most);
        pause
    }
}

/// A fifth more or less.
pub(crate) fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(0.8 + 0.4 * fastrand::f64())
}

#[cfg(test)]
mod tests;
