//! The job of a schedule, as its definition stores it.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::enqueue::new_row::{Due, NewRow};
use crate::enqueue::row::Row;
use crate::job::computed::ComputedFrom;
use crate::job::descriptor::policy_of;
use crate::job::policy::Policy;
use crate::{EnqueueError, OnDuplicate, UniqueWhile};

/// The job of a schedule. It has what the call says, and not what follows from the policy of its kind: each tick follows the policy
/// that programs have recorded by then.
#[derive(Clone, Debug, Default, Serialize)]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unique_key: Option<String>,
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
    /// True if it is unique, and holds its key until it ends.
    #[serde(skip)]
    holds_its_key: bool,
}

impl DefinedJob {
    /// The job of a kind without arguments.
    pub(super) fn of_kind(kind: &'static str) -> Self {
        let args = RawValue::from_string("{}".to_owned()).expect("an empty object is JSON");
        let policy = policy_of(kind);
        let is_unique = !matches!(policy.unique, ComputedFrom::Nothing);
        Self {
            kind,
            args,
            version: version_of(policy),
            redact: policy.redact,
            holds_its_key: is_unique && policy.unique_while == UniqueWhile::Live,
            ..Self::default()
        }
    }

    /// Returns whether it is unique, and holds its key until it ends.
    pub(super) fn holds_its_key(&self) -> bool {
        self.holds_its_key
    }

    /// Checks a job. Returns `None` if it says when it starts, has an id, or waits for other jobs: a schedule decides the first two,
    /// and no other job lives as long as the schedule.
    pub(super) fn new(job: NewRow, policy: &Policy, max_args: usize) -> Result<Option<Self>, EnqueueError> {
        if job.due != Due::Now || job.has_given_id() || !job.edges.is_empty() {
            return Ok(None);
        }
        let unique_key = job.unique.value().map(str::to_owned);
        let unique_is_secret = unique_key.as_ref().and(job.unique.is_secret().then_some(true));
        let (lasts, answer) = (job.unique.lasts, job.unique.on_duplicate);
        let holds_its_key = lasts == UniqueWhile::Live && job.identity().unique_key.is_some();
        let on_conflict = job.limit.on_conflict.map(crate::OnConflict::as_str);
        let row = Row::check(job, max_args)?;
        let other = |value: i16, usual: u16| (u16::try_from(value) != Ok(usual)).then_some(value);
        Ok(Some(Self {
            kind: row.kind,
            args: raw(row.args).unwrap_or_default(),
            version: version_of(policy),
            redact: policy.redact,
            queue: (row.queue != policy.queue).then_some(row.queue),
            priority: (row.priority != policy.priority as i16).then_some(row.priority),
            retries: other(row.retries, policy.retries),
            max_crashes: other(row.max_crashes, policy.max_crashes),
            attributes: row.attributes.and_then(raw),
            key: row.key,
            weight: row.weight,
            unique_key,
            unique_is_secret,
            unique_while: (lasts != policy.unique_while).then(|| of_while(lasts)),
            on_duplicate: (answer != policy.on_duplicate).then(|| of_answer(answer)),
            on_conflict,
            expires: row.expires,
            holds_its_key,
        }))
    }
}

fn version_of(policy: &Policy) -> Option<u16> {
    (policy.version > 1).then_some(policy.version)
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
