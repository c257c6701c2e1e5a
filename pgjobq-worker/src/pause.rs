//! Pauses after errors: longer each time, up to a limit, and jittered so that workers do not retry in lockstep.

use std::time::Duration;

/// The pause of a loop after an error.
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

    /// A pause that grows up to `most`.
    pub(crate) fn up_to(most: Duration) -> Self {
        Self { first: Self::FIRST, most, next: Self::FIRST }
    }

    /// A pause for a lane that another session has locked, mostly with a claim of a few milliseconds.
    pub(crate) fn of_locks() -> Self {
        let first = Duration::from_millis(2);
        Self { first, most: Duration::from_millis(250), next: first }
    }

    /// Begins again with the shortest pause, after a success.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }

    /// Returns the next pause.
    pub(crate) fn after_error(&mut self) -> Duration {
        let pause = jittered(self.next);
        self.next = (self.next * 2).min(self.most);
        pause
    }
}

/// Returns the interval, randomly changed by at most a fifth.
pub(crate) fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(0.8 + 0.4 * fastrand::f64())
}

#[cfg(test)]
mod tests;
