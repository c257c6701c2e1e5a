//! Random decisions that a seed repeats.

use std::ops::RangeBounds;
use std::time::Duration;

/// A source of random decisions. The same seed gives the same decisions.
pub(crate) struct Dice(fastrand::Rng);

impl Dice {
    /// Takes the seed from `PGJOBQ_TEST_SEED`, or a new one; the test prints it.
    pub(crate) fn new() -> Self {
        let seed = parameter("PGJOBQ_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
        println!("PGJOBQ_TEST_SEED={seed}");
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Returns another source of decisions, for a concurrent task.
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

/// The number of runs of a simulation, each with other decisions.
pub(crate) fn rounds() -> u64 {
    parameter("PGJOBQ_TEST_ROUNDS").unwrap_or(2)
}

/// The shortest time for which the long writer stays open.
pub(crate) fn long_writer() -> Duration {
    Duration::from_secs(parameter("PGJOBQ_TEST_LONG_WRITER").unwrap_or(2))
}

fn parameter(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text}")))
}
