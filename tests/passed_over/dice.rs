//! Decisions that can be repeated.

use std::ops::RangeBounds;
use std::time::Duration;

/// A source of decisions. The same seed decides the same.
pub(crate) struct Dice(fastrand::Rng);

impl Dice {
    /// From `PGJOBQ_TEST_SEED`, or from a new seed; the test's output says from which.
    pub(crate) fn new() -> Self {
        let seed = parameter("PGJOBQ_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
        println!("PGJOBQ_TEST_SEED={seed}");
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Dice for somebody else, who decides at the same time.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }

    pub(crate) fn number(&mut self, range: impl RangeBounds<usize>) -> usize {
        self.0.usize(range)
    }

    pub(crate) fn ticket(&mut self, range: impl RangeBounds<i64>) -> i64 {
        self.0.i64(range)
    }

    /// True in one case of `n`.
    pub(crate) fn one_in(&mut self, n: u32) -> bool {
        self.0.u32(..n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.0.usize(..items.len())]
    }

    pub(crate) fn millis(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.0.u64(..=most))
    }
}

/// How often a simulation is run, each time with other decisions.
pub(crate) fn rounds() -> u64 {
    parameter("PGJOBQ_TEST_ROUNDS").unwrap_or(2)
}

/// For how long the long writer stays open, at least.
pub(crate) fn long_writer() -> Duration {
    Duration::from_secs(parameter("PGJOBQ_TEST_LONG_WRITER").unwrap_or(2))
}

fn parameter(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is to be a number, not {text}")))
}
