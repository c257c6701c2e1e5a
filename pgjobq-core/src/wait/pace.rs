//! The size of one look at ended jobs: as much as the network carries in time.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::JobId;
use crate::wait::lookup::{ANSWER_WITHIN, Found, Seen};

/// The largest number of jobs in one look, and of bytes of results in its answer. A single result may be larger.
pub(crate) const MOST_JOBS: usize = 10_000;
const MOST_BYTES: i64 = 4 << 20;
/// The longest time that a look may take: a single result can be large, and the network slow.
const LONGEST: Duration = Duration::from_secs(80);

/// What the next look may ask for.
#[derive(Debug)]
pub(crate) struct Pace {
    /// About how many bytes of results and errors; at least one of them is sent.
    pub(crate) bytes: i64,
    /// How long the answer may take.
    pub(crate) limit: Duration,
    /// Jobs whose end did not fit into the last answers.
    left_out: HashSet<JobId>,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { bytes: MOST_BYTES, limit: ANSWER_WITHIN, left_out: HashSet::new() }
    }

    /// The jobs in the order in which to ask for them. Those that were left out go last, so that small results do not wait
    /// for large ones.
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
        self.limit = ANSWER_WITHIN;
        if after < ANSWER_WITHIN / 4 {
            self.bytes = (self.bytes * 2).min(MOST_BYTES);
        }
    }

    /// A look failed after this time. If it was too slow, the next one asks for less, and has more time.
    pub(crate) fn failed(&mut self, after: Duration) {
        if after >= self.limit {
            self.bytes = (self.bytes / 2).max(1);
            self.limit = (self.limit * 2).min(LONGEST);
        }
    }
}
