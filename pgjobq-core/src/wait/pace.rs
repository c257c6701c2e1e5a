//! The size of one lookup of ended jobs: as much as the network carries in time.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::JobId;
use crate::wait::lookup::{Found, LOOKUP_TIMEOUT, Seen};

/// The largest number of jobs in one lookup, and of bytes of results in its answer. A single result may be larger.
pub(crate) const MAX_JOBS: usize = 10_000;
const MAX_BYTES: i64 = 4 << 20;
/// The longest timeout of a lookup: a single result can be large, and the network slow.
const MAX_TIMEOUT: Duration = Duration::from_secs(80);

/// The limits of the next lookup.
#[derive(Debug)]
pub(crate) struct Pace {
    /// About the size of results and errors, in bytes; at least one of them is sent.
    pub(crate) bytes: i64,
    /// The timeout of the lookup.
    pub(crate) limit: Duration,
    /// Jobs whose end did not fit into the last answers.
    left_out: HashSet<JobId>,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { bytes: MAX_BYTES, limit: LOOKUP_TIMEOUT, left_out: HashSet::new() }
    }

    /// Returns the jobs in the order of the lookups. Jobs that were left out go last, so that small results do not
    /// wait for large ones.
    pub(crate) fn in_order(&mut self, mut jobs: Vec<JobId>) -> Vec<JobId> {
        if !self.left_out.is_empty() {
            jobs.sort_by_key(|job| self.left_out.contains(job));
            self.left_out.clear();
        }
        jobs
    }

    pub(crate) fn left_out_some(&self) -> bool {
        !self.left_out.is_empty()
    }

    /// A look was answered after this time. The next one asks for more if it was quick.
    pub(crate) fn answered(&mut self, after: Duration, seen: &HashMap<JobId, Seen>) {
        let left_out = seen.iter().filter(|(_, seen)| matches!(seen.found, Found::LeftOut));
        self.left_out.extend(left_out.map(|(job, _)| *job));
        self.limit = LOOKUP_TIMEOUT;
        if after < LOOKUP_TIMEOUT / 4 {
            self.bytes = (self.bytes * 2).min(MAX_BYTES);
        }
    }

    /// Notes that a lookup failed after this time. If it was too slow, the next one asks for less, and has more time.
    pub(crate) fn failed(&mut self, after: Duration) {
        if after >= self.limit {
            self.bytes = (self.bytes / 2).max(1);
            self.limit = (self.limit * 2).min(MAX_TIMEOUT);
        }
    }
}
