//! The state of an action, and its result.

use std::fmt;
use std::time::SystemTime;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::left_out::LeftOut;
use crate::db::time::time;

/// The id of an action: a number, as in the table `pgjobq.actions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId(pub i64);

impl fmt::Display for ActionId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// The state of an action: in [`ActionReport::state`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ActionState {
    /// It goes on.
    Running,
    /// It has reached every job that matched.
    Done,
    /// It was stopped before that. The jobs that it had changed stay changed.
    Stopped,
}

/// The state of an action, what it has done, and who asked for it: from awaiting an [`Action`](crate::Action), and from
/// [`StartedAction`](crate::StartedAction). Times are by the database's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActionReport {
    /// The action.
    pub id: ActionId,
    /// The word for what it does to each job: `cancel`, `requeue`, `retry_now`, `delete`, `set_priority`, `move_to` or `run_at`.
    pub action: String,
    /// The filter, as text.
    pub filter: String,
    /// Its state.
    pub state: ActionState,
    /// The number of matching jobs that it has reached.
    pub matched: u64,
    /// The number of jobs that it has changed. A running job that was asked to stop is one of them.
    pub changed: u64,
    /// The numbers of jobs that it has left as they were, and why.
    pub left: Vec<(LeftOut, u64)>,
    /// The error of the last batch that failed. It is tried again, smaller each time; a job that fails alone is left, as
    /// [`LeftOut::Refused`].
    pub problem: Option<String>,
    /// Its rate, as it was written.
    pub rate: Option<String>,
    /// The person who asked for it, from [`Action::by`](crate::Action::by), or else the database role.
    pub asked_by: String,
    /// The database role of the session that asked. The caller cannot choose it.
    pub role: String,
    /// The reason.
    pub reason: Option<String>,
    /// When it was started.
    pub created_at: SystemTime,
    /// When it ended.
    pub ended_at: Option<SystemTime>,
}

impl ActionReport {
    pub(super) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let count = |name| row.try_get::<i64, _>(name).map(i64::unsigned_abs);
        let reasons: Vec<String> = row.try_get("reasons")?;
        let counts: Vec<i64> = row.try_get("counts")?;
        let outcome: Option<&str> = row.try_get("outcome")?;
        let left = reasons.iter().zip(counts);
        Ok(Self {
            id: ActionId(row.try_get("id")?),
            action: row.try_get("action")?,
            filter: row.try_get("filter")?,
            state: match outcome {
                None => ActionState::Running,
                Some("done") => ActionState::Done,
                Some(_) => ActionState::Stopped,
            },
            matched: count("matched")?,
            changed: count("changed")?,
            left: left.map(|(name, count)| (LeftOut::named(name), count.unsigned_abs())).collect(),
            problem: row.try_get("problem")?,
            rate: row.try_get("rate")?,
            asked_by: row.try_get("asked_by")?,
            role: row.try_get("role")?,
            reason: row.try_get("reason")?,
            created_at: time(row.try_get("created_at")?),
            ended_at: row.try_get::<Option<i64>, _>("ended_at")?.map(time),
        })
    }
}

impl fmt::Display for ActionReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            ActionState::Running => "goes on",
            ActionState::Done => "is done",
            ActionState::Stopped => "was stopped",
        };
        let Self { id, action, matched, changed, .. } = self;
        let noun = if *matched == 1 { "job" } else { "jobs" };
        write!(out, "action {id} ({action}) {state}: {changed} of {matched} {noun} changed")?;
        for (place, (reason, count)) in self.left.iter().enumerate() {
            let sign = if place == 0 { "; left as they were:" } else { "," };
            write!(out, "{sign} {count} {reason}")?;
        }
        match &self.problem {
            Some(problem) => write!(out, "; a batch failed: {problem}"),
            None => Ok(()),
        }
    }
}
