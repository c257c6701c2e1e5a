//! Records what the job functions of this program say: policies, queues and limits, for enqueues from SQL and for the fleet.

use serde_json::{Value, json};
use sqlx::Row;

use crate::client::Client;
use crate::job::descriptor::JobDescriptor;
use crate::job::policy::Policy;
use crate::job::rate::Rate;
use crate::job::registry::Registry;
use crate::{DatabaseError, OnRetry};

impl Client {
    /// Records the policy and the limit of every kind, so that an enqueue from SQL follows them, and creates their queues.
    /// Logs a warning if another program has recorded another limit of a kind, and workers live.
    #[doc(hidden)]
    pub async fn record(&self, registry: &Registry) -> Result<(), DatabaseError> {
        let shared = self.shared();
        let kinds = registry.jobs().map(kind).collect::<Value>().to_string();
        let row = shared.write(&shared.sql.record_kinds, &[&kinds.as_str()]).await?;
        let warnings: Option<Vec<String>> = row.try_get("warnings").map_err(DatabaseError::Refused)?;
        warnings.into_iter().flatten().for_each(|warning| tracing::warn!("{warning}"));
        Ok(())
    }
}

fn kind(job: &JobDescriptor) -> Value {
    let policy = &job.policy;
    json!({
        "kind": job.kind, "aliases": job.aliases, "queue": policy.queue, "priority": policy.priority as i16,
        "retries": count(policy.retries), "max_crashes": count(policy.max_crashes), "redact": policy.redact,
        "version": policy.version, "computed": computed(policy),
        "limit": policy.is_limited().then(|| limit(policy)),
    })
}

/// Returns the columns of `kinds` that an enqueue follows, as a program records them that is the first one.
pub(crate) fn enqueued_by(policy: &Policy) -> Value {
    let mut rules = serde_json::Map::new();
    rules.insert(policy.version.to_string(), computed(policy).unwrap_or_else(|| json!({})));
    json!({
        "queue": policy.queue, "priority": policy.priority as i16, "retries": count(policy.retries),
        "max_crashes": count(policy.max_crashes), "computed": rules,
    })
}

fn count(tries: u16) -> i16 {
    i16::try_from(tries).unwrap_or(i16::MAX)
}

/// The limit of a kind, with the columns of `limits`.
fn limit(policy: &Policy) -> Value {
    json!({
        "per_key": policy.is_per_key(), "concurrency": policy.concurrency,
        "holds": policy.on_retry.map(|on_retry| on_retry == OnRetry::Hold),
        "on_conflict": policy.on_conflict.as_str(), "rates": stored_rates(&policy.windows()),
    })
}

/// Rates as they are stored: pairs of a number and a window in microseconds.
pub(crate) fn stored_rates(rates: &[Rate]) -> Option<Value> {
    let pair = |rate: &Rate| json!([rate.count(), rate.window().as_micros() as u64]);
    (!rates.is_empty()).then(|| rates.iter().map(pair).collect())
}

/// The values that each job of a kind computes from its arguments.
fn computed(policy: &Policy) -> Option<Value> {
    let mut computed = serde_json::Map::new();
    let values = [("key", policy.key), ("weight", policy.weight), ("unique", policy.unique)];
    for (name, from) in values {
        if let Some(from) = from.stored() {
            computed.insert(name.to_owned(), json!(from));
        }
    }
    if policy.has_secret_unique_key() {
        computed.insert("secret".to_owned(), json!(true));
    }
    if let Some(options) = crate::enqueue::options::of_unique(policy.unique_while, policy.on_duplicate) {
        computed.insert("options".to_owned(), Value::Object(options));
    }
    (!computed.is_empty()).then_some(Value::Object(computed))
}
