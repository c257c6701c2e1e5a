//! The limits of a queue over the whole fleet, as the code says them.

use serde_json::json;

use crate::admin::change_limits::{LimitError, LimitScope, checked_concurrency, parsed_rates};
use crate::client::Client;
use crate::db::record::stored_rates;

/// The limits of a queue, as the code says them. Without any, they are removed.
#[derive(Debug, Default)]
pub(super) struct QueueLimit {
    pub(super) concurrency: Option<u16>,
    pub(super) rates: Vec<String>,
}

/// The same, checked: with the columns of `limits`, as JSON; `None` if they are removed.
pub(super) struct CheckedLimit(Option<String>);

impl QueueLimit {
    pub(super) fn checked(&self) -> Result<CheckedLimit, LimitError> {
        let concurrency = checked_concurrency(self.concurrency)?;
        let rates = stored_rates(&parsed_rates(&self.rates)?);
        let is_set = concurrency.is_some() || rates.is_some();
        Ok(CheckedLimit(is_set.then(|| json!({ "concurrency": concurrency, "rates": rates }).to_string())))
    }
}

impl CheckedLimit {
    pub(super) async fn save(self, client: &Client, queue: &str) -> Result<(), LimitError> {
        let shared = client.shared();
        let saved = shared.write(&shared.sql.save_limit, &[&queue, &self.0.as_deref()]).await;
        saved.map(drop).map_err(|error| LimitError::of(error, LimitScope::Queue, queue.to_owned()))
    }
}
