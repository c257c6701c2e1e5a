//! A new job as the database stores it.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::db::local_workers::NewJobs;
use crate::enqueue::edge::NewEdge;
use crate::enqueue::new_row::{Due, NewIdentity, NewRow};
use crate::enqueue::outcome::OutcomeCell;
use crate::job::json::{Unstorable, printed_bytes};
use crate::job::name;
use crate::job::policy::LONGEST_DELAY;
use crate::{EnqueueError, JobId, OnDuplicate};

/// The default limit of one job's arguments: 1 MiB.
pub(crate) const MAX_ARGS: usize = 1 << 20;
/// The largest number of characters in a key.
pub(crate) const MAX_KEY: usize = 200;
/// The largest weight: the highest number of a rate.
const MAX_WEIGHT: u32 = 1_000_000;
/// About the size of a row on the wire without its arguments.
const ROW_OVERHEAD_BYTES: usize = 48;
/// About the size of an edge on the wire.
const EDGE_BYTES: usize = 80;

/// A new job as the database stores it. Its values have been checked: PostgreSQL can store each of them.
#[doc(hidden)]
pub struct Row {
    pub(crate) id: JobId,
    pub(crate) kind: &'static str,
    pub(crate) queue: String,
    pub(crate) priority: i16,
    pub(crate) retries: i16,
    pub(crate) max_crashes: i16,
    pub(crate) args: String,
    pub(crate) meta: Option<String>,
    pub(crate) attributes: Option<String>,
    pub(crate) key: Option<String>,
    /// The delay, or the time of the start, or neither; in microseconds like `expires`.
    pub(crate) delay: Option<i64>,
    pub(crate) at: Option<i64>,
    pub(crate) expires: Option<i64>,
    pub(crate) edges: Vec<NewEdge>,
    /// The outcome of the enqueue, once it is known.
    pub(crate) outcome: OutcomeCell,
    /// Its weight for a rate, if that is not 1.
    pub(crate) weight: Option<i32>,
    pub(crate) unique_key: Option<String>,
    /// True if the job changes another one that has its unique key.
    pub(crate) replaces: bool,
    /// True if nothing is kept of the job when it completes.
    pub(crate) unkept: bool,
    /// The rest that the job says of limits and unique keys, as JSON. It stands in the row's shape, so few jobs should differ in it.
    pub(crate) options: Option<String>,
}

impl Row {
    /// Checks everything about a job that the database could not store.
    pub(crate) fn check(mut job: NewRow, max_args: usize) -> Result<Self, EnqueueError> {
        let kind = job.kind;
        name::check("kind", kind)?;
        name::check("queue", &job.queue)?;
        let tries = |count: u16| i16::try_from(count).map_err(|_| EnqueueError::TooManyTries { kind, count });
        job.args = Ok(checked_args(kind, job.args, max_args)?);
        let attributes = job.attributes.to_json().map_err(|error| EnqueueError::Attribute { kind, error })?;
        check_key(kind, job.key.as_deref())?;
        let NewIdentity { id, unique_key } = job.identity();
        job.due = debounced(&job, unique_key.is_some());
        let (delay, at) = due_columns(job.due).ok_or(EnqueueError::TooFar { kind })?;
        check_times(&job)?;
        check_origins(&job, id)?;
        let weight = checked_weight(kind, job.weight, job.limit.allowance)?;
        let (lasts, on_duplicate) = (job.unique.lasts, job.unique.on_duplicate);
        let unique = unique_key.is_some().then_some((lasts, on_duplicate));
        if !job.unique.checked().map_err(|error| EnqueueError::Args { kind, error })? {
            return Err(EnqueueError::UniqueKey { kind });
        }
        Ok(Self {
            id,
            kind,
            priority: job.priority as i16,
            retries: tries(job.retries)?,
            max_crashes: tries(job.max_crashes)?,
            queue: job.queue,
            args: job.args.map_err(|error| EnqueueError::Args { kind, error })?,
            meta: job.meta.to_json(),
            attributes,
            key: job.key,
            delay,
            at,
            expires: job.expires_in.and_then(|time| i64::try_from(time.as_micros()).ok()),
            weight,
            unique_key,
            options: job.limit.options(unique).to_json(),
            edges: job.edges,
            outcome: OutcomeCell::default(),
            replaces: on_duplicate != OnDuplicate::Keep,
            unkept: job.unkept,
        })
    }

    /// Returns whether the job waits for no other, and says nothing of limits or unique keys.
    pub(crate) fn is_simple(&self) -> bool {
        let Self { edges, weight, unique_key, options, .. } = self;
        edges.is_empty() && weight.is_none() && unique_key.is_none() && options.is_none()
    }

    /// Returns about the size of the row on the wire, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let optional = [&self.attributes, &self.key, &self.unique_key];
        let optional = optional.into_iter().flatten().map(String::len).sum::<usize>();
        self.args.len() + optional + self.edges.len() * EDGE_BYTES + ROW_OVERHEAD_BYTES
    }
}

/// Checks that the job waits for other jobs only, that it is unique if the call says more of that, and that what it computes is known.
fn check_origins(job: &NewRow, id: JobId) -> Result<(), EnqueueError> {
    let kind = job.kind;
    if job.edges.iter().any(|edge| edge.parent.id == id) {
        return Err(EnqueueError::WaitsForItself { id, kind });
    }
    if job.unique.says_more_in_vain() {
        return Err(EnqueueError::NotUnique { kind });
    }
    job.unknown.first().map_or(Ok(()), |what| Err(EnqueueError::FromStep { kind, what }))
}

/// The start of a job. The first one that is debounced waits, too.
fn debounced(job: &NewRow, is_unique: bool) -> Due {
    match (job.due, job.unique.on_duplicate) {
        (Due::Now, OnDuplicate::Debounce(quiet)) if is_unique => Due::In(quiet),
        (due, _) => due,
    }
}

/// Checks the times of a job that are not its start.
fn check_times(job: &NewRow) -> Result<(), EnqueueError> {
    let kind = job.kind;
    let (lasts, quiet) = (job.unique.lasts.time(), job.unique.on_duplicate.time());
    for (what, time) in [("time in which it is unique", lasts), ("pause of its `debounce`", quiet)] {
        if time == Some(Duration::ZERO) {
            return Err(EnqueueError::Zero { kind, what });
        }
    }
    let times = [job.expires_in, lasts, quiet];
    if times.into_iter().flatten().any(|time| time > LONGEST_DELAY) {
        return Err(EnqueueError::TooFar { kind });
    }
    if job.expires_in.is_some_and(|time| time <= wait_for(job.due)) {
        return Err(EnqueueError::ExpiresFirst { kind });
    }
    Ok(())
}

/// Returns those of the rows that may start now, by queue and kind.
pub(crate) fn new_jobs(rows: &[Arc<Row>]) -> Vec<NewJobs> {
    let mut new: Vec<NewJobs> = Vec::new();
    let may_start = |row: &&Arc<Row>| row.delay.is_none() && row.at.is_none() && row.edges.is_empty();
    for row in rows.iter().filter(may_start) {
        match new.iter_mut().rfind(|new| new.queue == row.queue) {
            Some(known) => {
                known.kinds.insert(row.kind);
                known.count += 1;
            }
            None => new.push(NewJobs { queue: row.queue.clone(), kinds: [row.kind].into(), count: 1 }),
        }
    }
    new
}

/// Returns the rows that are not among `left`. By address: two jobs may have the same id.
pub(crate) fn without(rows: &[Arc<Row>], left: &[Arc<Row>]) -> Vec<Arc<Row>> {
    let left: HashSet<*const Row> = left.iter().map(Arc::as_ptr).collect();
    rows.iter().filter(|row| !left.contains(&Arc::as_ptr(row))).cloned().collect()
}

/// Shows no arguments: they may be secret, and debug output goes to logs.
impl fmt::Debug for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} in {}", self.kind, self.id, self.queue)
    }
}

/// Checks that PostgreSQL can store the arguments, and that their size is at most `max_bytes`.
pub(crate) fn checked_args(
    kind: &'static str,
    args: Result<String, serde_json::Error>,
    max_bytes: usize,
) -> Result<String, EnqueueError> {
    let args = args.map_err(|error| EnqueueError::Args { kind, error })?;
    let printed = printed_bytes(&args).map_err(|why| match why {
        Unstorable::Nul => EnqueueError::NulInArgs { kind },
        Unstorable::Nested { deepest } => EnqueueError::NestedArgs { kind, deepest },
        Unstorable::Number(number) => EnqueueError::NumberInArgs { kind, number },
    })?;
    let bytes = printed.max(args.len());
    if bytes > max_bytes {
        return Err(EnqueueError::ArgsTooLarge { kind, bytes, limit: max_bytes });
    }
    Ok(args)
}

/// Checks the key of a job, if it has one.
pub(crate) fn check_key(kind: &'static str, key: Option<&str>) -> Result<(), EnqueueError> {
    if key.is_none_or(is_key) { Ok(()) } else { Err(EnqueueError::Key { kind, limit: MAX_KEY }) }
}

/// Checks a weight. Returns `None` for a weight of 1, which is not stored.
fn checked_weight(
    kind: &'static str,
    weight: Option<u32>,
    allowance: Option<u32>,
) -> Result<Option<i32>, EnqueueError> {
    let weight = weight.unwrap_or(1);
    if weight == 0 {
        return Err(EnqueueError::Zero { kind, what: "weight" });
    }
    let allowance = allowance.unwrap_or(MAX_WEIGHT);
    if weight > allowance {
        return Err(EnqueueError::Weight { kind, weight, allowance });
    }
    Ok(i32::try_from(weight).ok().filter(|weight| *weight > 1))
}

/// Returns whether a job can have this key.
pub(crate) fn is_key(text: &str) -> bool {
    (1..=MAX_KEY).contains(&text.chars().count()) && !text.contains('\0')
}

/// Returns the delay and the time of a job, in microseconds; `None` if it is too far in the future.
fn due_columns(due: Due) -> Option<(Option<i64>, Option<i64>)> {
    let micros = |time: Duration| i64::try_from(time.as_micros()).ok();
    match due {
        Due::Now => Some((None, None)),
        Due::In(delay) if delay > LONGEST_DELAY => None,
        Due::In(delay) => Some((micros(delay), None)),
        Due::At(at) if at > SystemTime::now() + LONGEST_DELAY => None,
        // A time before 1970 is as due as 1970.
        Due::At(at) => Some((None, micros(at.duration_since(UNIX_EPOCH).unwrap_or_default()))),
    }
}

/// Returns the time until a job is due, by this machine's clock.
fn wait_for(due: Due) -> Duration {
    match due {
        Due::Now => Duration::ZERO,
        Due::In(delay) => delay,
        Due::At(at) => at.duration_since(SystemTime::now()).unwrap_or_default(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times_too_far_away_are_refused_and_past_ones_are_due() {
        assert_eq!(due_columns(Due::In(Duration::MAX)), None);
        assert_eq!(due_columns(Due::In(LONGEST_DELAY + Duration::from_secs(1))), None);
        assert_eq!(due_columns(Due::At(UNIX_EPOCH - Duration::from_secs(9))), Some((None, Some(0))));
        assert_eq!(due_columns(Due::In(Duration::from_micros(7))), Some((Some(7), None)));
    }
}
