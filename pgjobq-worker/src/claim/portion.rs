//! The size of claims: smaller after a claim that failed for its size, larger after claims that arrived.

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::CLAIM_BYTES;

/// The largest number of jobs that a claim asks for.
pub(crate) const CLAIM_BATCH_SIZE: usize = 500;
/// The number of claims that must arrive before a lane asks for twice as much.
const CLAIMS_BEFORE_GROWTH: u32 = 8;

/// The size of the next claim of a lane.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Portion {
    pub(crate) jobs: usize,
    pub(crate) bytes: i64,
    /// True to claim without arguments. Each job then reads its own, so that an unreadable one is found.
    pub(crate) without_args: bool,
    /// The number of claims that have arrived since the last change.
    arrived: u32,
}

impl Portion {
    pub(crate) const WHOLE: Self =
        Self { jobs: CLAIM_BATCH_SIZE, bytes: CLAIM_BYTES, without_args: false, arrived: 0 };

    /// Returns whether claims of this lane fail for their size, so that the next one may be slow.
    pub(crate) fn is_reduced(&self) -> bool {
        self.without_args || self.jobs < CLAIM_BATCH_SIZE || self.bytes < CLAIM_BYTES
    }

    /// Shrinks the portion after a failed claim of `asked` jobs that these jobs may have caused.
    pub(crate) fn failed(&mut self, asked: usize) {
        self.jobs = (self.jobs.min(asked) / 2).max(1);
        self.bytes = (self.bytes / 2).max(1);
        (self.without_args, self.arrived) = (true, 0);
    }

    /// Notes that a claim arrived with this many bytes of arguments, and grows the portion after several of them. Stored JSON may
    /// print to much more than it takes on disk, so an answer larger than asked for shrinks the portion.
    pub(crate) fn arrived(&mut self, bytes: usize) {
        if std::mem::take(&mut self.without_args) {
            return;
        }
        self.arrived += 1;
        if i64::try_from(bytes).unwrap_or(i64::MAX) > 2 * CLAIM_BYTES {
            (self.jobs, self.arrived) = ((self.jobs / 2).max(1), 0);
        } else if self.arrived >= CLAIMS_BEFORE_GROWTH {
            self.jobs = (self.jobs * 2).min(CLAIM_BATCH_SIZE);
            self.bytes = (self.bytes * 2).min(CLAIM_BYTES);
            self.arrived = 0;
        }
    }
}

/// Returns whether the claimed jobs may have caused the error: by their data, or by their size (out of memory, or a statement
/// timeout).
pub(crate) fn may_be_caused_by_jobs(error: &DatabaseError) -> bool {
    error.is_about_stored_data() || matches!(error.code().as_deref(), Some("53200" | "57014"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portion_halves_after_failures_down_to_one_job() {
        let mut portion = Portion::WHOLE;
        portion.failed(100);
        assert_eq!((portion.jobs, portion.bytes, portion.without_args), (50, CLAIM_BYTES / 2, true));
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
        assert!(!portion.without_args && portion.is_reduced());
        for _ in 0..CLAIMS_BEFORE_GROWTH {
            portion.arrived(1);
        }
        assert!(!portion.is_reduced());
        portion.arrived(100 << 20);
        assert_eq!(portion.jobs, 250);
    }
}
