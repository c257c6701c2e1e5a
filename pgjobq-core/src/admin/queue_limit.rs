//! The limits of a queue over the whole fleet, as the code says them.

use serde_json::{Map, json};

use crate::DatabaseError;
use crate::admin::change_limits::{LimitError, SHARDED, checked_concurrency, parsed_rates};
use crate::db::record::stored_rates;

/// The limits of a queue, as the code says them. What is `None` stays as it is.
#[derive(Debug, Default)]
pub(super) struct QueueLimit {
    /// The number of jobs; or that there is no such limit.
    pub(super) concurrency: Option<Option<u16>>,
    /// The rates; empty if there are none.
    pub(super) rates: Option<Vec<String>>,
}

/// The same, checked: columns of `limits`, as JSON.
#[derive(Debug)]
pub(super) struct CheckedLimit(String);

impl QueueLimit {
    /// Returns the limits to save, if any are given.
    pub(super) fn checked(&self) -> Result<Option<CheckedLimit>, LimitError> {
        let mut columns = Map::new();
        if let Some(jobs) = self.concurrency {
            columns.insert("concurrency".into(), json!(checked_concurrency(jobs)?));
        }
        if let Some(rates) = &self.rates {
            columns.insert("rates".into(), json!(stored_rates(&parsed_rates(rates)?)));
        }
        Ok((!columns.is_empty()).then(|| CheckedLimit(json!(columns).to_string())))
    }
}

impl CheckedLimit {
    pub(super) fn as_json(&self) -> &str {
        &self.0
    }

    /// Returns whether this error is about the limit.
    pub(super) fn is_refused(&self, error: &DatabaseError) -> bool {
        error.code().as_deref() == Some(SHARDED)
    }
}
