//! The job of a schedule, as its definition stores it.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::ScheduleError;
use crate::db::record::enqueued_by;
use crate::enqueue::new_row::{Due, NewRow};
use crate::enqueue::row::Row;
use crate::job::computed::ComputedFrom;
use crate::job::policy::Policy;
use crate::{OnDuplicate, UniqueWhile};

/// The job of a schedule. It has what the call says and what the job's code computes. The rest follows from the policy of its kind that
/// programs have recorded at the tick.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DefinedJob {
    kind: &'static str,
    args: Box<RawValue>,
    /// The version of the arguments, unless that is the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u16>,
    /// Those that are not shown.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    redact: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retries: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_crashes: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<Box<RawValue>>,
    /// `Some(None)` if the job's code has computed that it has none. SQL then computes none either.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<u32>,
    /// The unique key, like `key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    unique: Option<Option<String>>,
    /// True if that is made of redacted arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    unique_is_secret: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unique_while: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_duplicate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_conflict: Option<&'static str>,
    /// In microseconds from the tick.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
    /// The policy of its kind in this program. It holds until a program has recorded the kind.
    policy: Value,
    /// True if it is unique, and holds its key until it ends.
    #[serde(skip)]
    holds_its_key: bool,
}

impl DefinedJob {
    /// Returns whether it is unique, and holds its key until it ends.
    pub(super) fn holds_its_key(&self) -> bool {
        self.holds_its_key
    }

    /// Returns its kind.
    pub(super) fn kind(&self) -> &'static str {
        self.kind
    }

    /// Checks a job. It says neither when it starts nor its id, because the schedule decides these, and waits for no other job, because
    /// none lives as long as the schedule.
    pub(super) fn new(job: NewRow, policy: &Policy, max_args: usize) -> Result<Self, ScheduleError> {
        if job.due != Due::Now || job.has_given_id() || !job.edges.is_empty() {
            return Err(ScheduleError::Once { kind: job.kind });
        }
        let key = computed(job.key.clone(), policy.key);
        let unique = job.unique.value().map(|value| value.map(str::to_owned));
        let unique_is_secret = matches!(unique, Some(Some(_))) && job.unique.is_secret();
        let (weight, lasts, answer) = (job.weight, job.unique.lasts, job.unique.on_duplicate);
        let is_unique = job.identity().unique_key.is_some();
        let on_conflict = job.limit.on_conflict.map(crate::OnConflict::as_str);
        let row = Row::check(job, max_args).map_err(ScheduleError::Job)?;
        let other = |value: i16, usual: u16| (u16::try_from(value) != Ok(usual)).then_some(value);
        Ok(Self {
            kind: row.kind,
            args: raw(row.args).unwrap_or_default(),
            version: (policy.version > 1).then_some(policy.version),
            redact: policy.redact,
            queue: (row.queue != policy.queue).then_some(row.queue),
            priority: (row.priority != policy.priority as i16).then_some(row.priority),
            retries: other(row.retries, policy.retries),
            max_crashes: other(row.max_crashes, policy.max_crashes),
            attributes: row.attributes.and_then(raw),
            key,
            weight,
            unique,
            unique_is_secret: unique_is_secret.then_some(true),
            unique_while: (is_unique && lasts != policy.unique_while).then(|| of_while(lasts)),
            on_duplicate: (is_unique && answer != policy.on_duplicate).then(|| of_answer(answer)),
            on_conflict,
            expires: row.expires,
            policy: enqueued_by(policy),
            holds_its_key: is_unique && lasts == UniqueWhile::Live,
        })
    }
}

/// Returns a value of a job; `None` if it has none, and its code computes none.
fn computed(value: Option<String>, from: ComputedFrom) -> Option<Option<String>> {
    (value.is_some() || from != ComputedFrom::Nothing).then_some(value)
}

fn raw(json: String) -> Option<Box<RawValue>> {
    RawValue::from_string(json).ok()
}

/// The word that `enqueue` takes in SQL.
fn of_while(lasts: UniqueWhile) -> String {
    match lasts {
        UniqueWhile::For(time) => format!("{} microseconds", time.as_micros()),
        UniqueWhile::Live => "live".to_owned(),
        UniqueWhile::Waiting => "waiting".to_owned(),
    }
}

/// The word that `enqueue` takes in SQL.
fn of_answer(answer: OnDuplicate) -> String {
    match answer {
        OnDuplicate::Debounce(time) => format!("debounce {} microseconds", time.as_micros()),
        named => named.as_str().to_owned(),
    }
}
