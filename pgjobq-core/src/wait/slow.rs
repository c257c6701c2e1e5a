//! Warns of waits that cannot end soon: the job is not committed yet, no worker runs it, or it needs the slot of the job that waits
//! for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::attempt::current::Current;
use crate::chain::chain;
use crate::db::shared::Shared;
use crate::wait::lookup::WORKFLOW_KIND;
use crate::{DatabaseError, JobId};

/// The time after which a wait is checked, once.
pub(crate) const CHECK_AFTER: Duration = Duration::from_secs(2);
/// The timeout of the statement.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

/// A wait that has lasted for [`CHECK_AFTER`].
#[derive(Debug)]
pub(crate) struct SlowWait {
    /// The job, or the workflow.
    pub(crate) job: JobId,
    /// The kind of the handle; [`WORKFLOW_KIND`] for a workflow.
    pub(crate) kind: &'static str,
    /// True if the job's row was seen.
    pub(crate) exists: bool,
    /// The attempt whose job function waits.
    pub(crate) attempt: Option<Arc<Current>>,
}

/// A job that is due and does not run.
struct Unstarted {
    /// The same job, or the workflow of which it is a step.
    awaited: JobId,
    job: JobId,
    kind: String,
    queue: String,
    /// The reason why no worker takes it, if there is one.
    sentence: Option<String>,
}

/// Checks waits with at most one statement, and logs a warning for those that cannot end soon.
pub(crate) async fn check(shared: &Shared, waits: Vec<SlowWait>) {
    let (present, missing): (Vec<_>, Vec<_>) = waits.into_iter().partition(|wait| wait.exists);
    warn_of_missing(&missing);
    if present.is_empty() {
        return;
    }
    match unstarted(shared, &present).await {
        Ok(jobs) => {
            warn_of_unserved(&jobs);
            warn_of_deadlocks(&present, &jobs);
        }
        Err(error) => tracing::debug!(error = chain(&error), "long waits could not be checked"),
    }
}

async fn unstarted(shared: &Shared, waits: &[SlowWait]) -> Result<Vec<Unstarted>, DatabaseError> {
    let shards = shared.about().await?.shards;
    let (workflows, jobs): (Vec<_>, Vec<_>) = waits.iter().partition(|wait| wait.kind == WORKFLOW_KIND);
    let mut found = Vec::new();
    for (waits, sql) in [(jobs, &shared.sql.unstarted), (workflows, &shared.sql.unstarted_steps)] {
        let ids: BTreeSet<JobId> = waits.iter().map(|wait| wait.job).collect();
        if !ids.is_empty() {
            let query = sqlx::query(sql.clone())
                .bind(ids.iter().map(|id| id.shard(shards)).collect::<Vec<_>>())
                .bind(ids.iter().map(|id| id.as_uuid()).collect::<Vec<_>>());
            found.extend(shared.rows_within(CHECK_TIMEOUT, query).await?);
        }
    }
    let read = |row: &PgRow| {
        Ok(Unstarted {
            awaited: row.try_get::<Uuid, _>("awaited")?.into(),
            job: row.try_get::<Uuid, _>("id")?.into(),
            kind: row.try_get("kind")?,
            queue: row.try_get("queue")?,
            sentence: row.try_get("sentence")?,
        })
    };
    found.iter().map(read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
}

fn warn_of_missing(waits: &[SlowWait]) {
    for (kind, jobs) in grouped(waits.iter().map(|wait| (wait.kind, wait.job))) {
        let (what, of_kind) = match kind {
            WORKFLOW_KIND => ("workflow", String::new()),
            kind => ("job", format!(" (`{kind}`)")),
        };
        tracing::warn!(
            "{what} {}{of_kind}: no such {what} yet, and a wait for it goes on. Is the transaction that enqueued it committed? Commit it \
             before the wait",
            named(&jobs)
        );
    }
}

fn warn_of_unserved(jobs: &[Unstarted]) {
    let unserved = jobs.iter().filter_map(|job| Some(((&*job.kind, job.sentence.as_deref()?), job.job)));
    for ((kind, sentence), jobs) in grouped(unserved) {
        tracing::warn!("job {} (`{kind}`) is awaited, and does not start. {sentence}", named(&jobs));
    }
}

/// Warns of jobs that wait for a job of their own queue, all slots of which are taken in their worker.
fn warn_of_deadlocks(waits: &[SlowWait], jobs: &[Unstarted]) {
    for wait in waits {
        let Some(attempt) = &wait.attempt else { continue };
        let awaited = jobs.iter().find(|job| job.awaited == wait.job && *job.queue == *attempt.queue);
        if let (Some(awaited), Some(slots)) = (awaited, attempt.slots.all_taken()) {
            tracing::warn!(
                "job {} (`{}`) waits for job {} (`{}`) of its own queue `{}`, and all {slots} slots of this worker are taken: give \
                 the queue more slots, or put the awaited jobs into another queue",
                attempt.job,
                attempt.kind,
                awaited.job,
                awaited.kind,
                awaited.queue
            );
        }
    }
}

/// Groups jobs, so that a thousand waits with one cause are one warning.
fn grouped<K: Ord>(jobs: impl Iterator<Item = (K, JobId)>) -> BTreeMap<K, BTreeSet<JobId>> {
    let mut groups: BTreeMap<K, BTreeSet<JobId>> = BTreeMap::new();
    for (key, job) in jobs {
        groups.entry(key).or_default().insert(job);
    }
    groups
}

/// Names the first of some jobs, and the number of the others.
fn named(jobs: &BTreeSet<JobId>) -> String {
    let first = jobs.first().map(JobId::to_string).unwrap_or_default();
    match jobs.len() {
        0 | 1 => first,
        count => format!("{first}, like {} others,", count - 1),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn jobs_with_one_cause_are_named_once() {
        let jobs: Vec<JobId> = (1..=3).map(|n| Uuid::from_u128(n).into()).collect();
        let groups = grouped(jobs.iter().map(|job| ("mail", *job)));
        assert_eq!(groups.len(), 1);
        assert_eq!(named(&groups["mail"]), format!("{}, like 2 others,", jobs[0]));
        assert_eq!(named(&BTreeSet::from([jobs[1]])), jobs[1].to_string());
    }
}
