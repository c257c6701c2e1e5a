//! How much a claim asks for: less after each claim that failed for its size, more after each that arrived.

use pgjobq_core::__private::CLAIM_BYTES;
use pgjobq_core::DatabaseError;

use crate::claim::lane::BATCH;

/// How much the next claim of a lane asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Portion {
    pub(crate) jobs: usize,
    pub(crate) bytes: i64,
    /// Whether to claim without arguments. Each job then reads its own, so that one which cannot be read is found.
    pub(crate) bare: bool,
    /// How many claims have arrived since it last changed.
    arrived: u32,
}

/// After how many claims that arrived a lane asks for twice as much.
const PATIENCE: u32 = 8;

impl Portion {
    pub(crate) const WHOLE: Self = Self { jobs: BATCH, bytes: CLAIM_BYTES, bare: false, arrived: 0 };

    /// Whether claims of this lane fail for their size, so that the next one may be slow.
    pub(crate) fn is_reduced(&self) -> bool {
        self.bare || self.jobs < BATCH || self.bytes < CLAIM_BYTES
    }

    /// A claim that asked for `asked` jobs failed, and the jobs may be why.
    pub(crate) fn failed(&mut self, asked: usize) {
        self.jobs = (self.jobs.min(asked) / 2).max(1);
        self.bytes = (self.bytes / 2).max(1);
        (self.bare, self.arrived) = (true, 0);
    }

    /// A claim arrived, with this many bytes of arguments. Stored JSON may print to much more than it takes on disk: an answer
    /// larger than asked for makes the next claim smaller.
    pub(crate) fn arrived(&mut self, bytes: usize) {
        if std::mem::take(&mut self.bare) {
            return; // It had no arguments.
        }
        self.arrived += 1;
        if i64::try_from(bytes).unwrap_or(i64::MAX) > 2 * CLAIM_BYTES {
            (self.jobs, self.arrived) = ((self.jobs / 2).max(1), 0);
        } else if self.arrived >= PATIENCE {
            self.jobs = (self.jobs * 2).min(BATCH);
            self.bytes = (self.bytes * 2).min(CLAIM_BYTES);
            self.arrived = 0;
        }
    }
}

/// Whether the jobs that were asked for may be why it failed: their data, or their size (out of memory, a statement that took too
/// long).
pub(crate) fn may_be_the_jobs(error: &DatabaseError) -> bool {
    error.is_about_stored_data() || matches!(error.code().as_deref(), Some("53200" | "57014"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portion_halves_after_failures_down_to_one_job() {
        let mut portion = Portion::WHOLE;
        portion.failed(100);
        assert_eq!((portion.jobs, portion.bytes, portion.bare), (50, CLAIM_BYTES / 2, true));
        for _ in 0..60 {
            portion.failed(portion.jobs);
        }
        assert_eq!((portion.jobs, portion.bytes), (1, 1));
    }

    #[test]
    fn portion_grows_back_unless_answers_are_too_large() {
        let mut portion = Portion::WHOLE;
        portion.failed(500);
        portion.arrived(0);
        assert!(!portion.bare && portion.is_reduced());
        for _ in 0..PATIENCE {
            portion.arrived(1);
        }
        assert!(!portion.is_reduced());
        portion.arrived(100 << 20);
        assert_eq!(portion.jobs, 250);
    }
}
