//! The limit of a new job's kind, as far as its code knows it. The database knows the rest.

use crate::enqueue::options::Options;
use crate::job::policy::Policy;
use crate::{OnConflict, OnDuplicate, UniqueWhile};

/// The limit of a new job's kind, as the code says it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnLimit {
    is_set: bool,
    /// True if the limit holds for each key on its own.
    is_per_key: bool,
    /// The smallest number of its rates: a job of a larger weight would never start.
    pub(crate) allowance: Option<u32>,
    /// The answer to a conflict, if the call overrides the policy's.
    pub(crate) on_conflict: Option<OnConflict>,
}

impl OwnLimit {
    pub(crate) fn of(policy: &Policy) -> Self {
        Self {
            is_set: policy.is_limited(),
            is_per_key: policy.is_per_key(),
            allowance: policy.rates.iter().map(|rate| rate.count()).chain(policy.burst).min(),
            on_conflict: None,
        }
    }

    /// Returns whether there is a limit.
    pub(crate) fn is_set(self) -> bool {
        self.is_set
    }

    /// Returns the options of a job that is unique in this way, or not at all.
    pub(crate) fn options(self, unique: Option<(UniqueWhile, OnDuplicate)>) -> Options {
        let scope = if self.is_per_key { "key" } else { "kind" };
        Options { limit: self.is_set.then_some(scope), on_conflict: self.on_conflict, unique }
    }

    /// Returns the key of the limit, if it has one.
    pub(crate) fn key(self, key: Option<&str>) -> Option<&str> {
        key.filter(|_| self.is_set && self.is_per_key)
    }
}
