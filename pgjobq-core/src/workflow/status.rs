//! The status of a workflow at one moment, and its end.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::db::time::time;
use crate::{JobState, WorkflowId};

/// The status of a workflow at one moment: from [`WorkflowHandle::status`](crate::WorkflowHandle::status). Times are by the
/// database's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkflowStatus {
    /// The workflow.
    pub id: WorkflowId,
    /// Its name.
    pub name: String,
    /// Its outcome; `None` while it runs.
    pub outcome: Option<WorkflowOutcome>,
    /// The number of its steps in each state.
    pub steps: BTreeMap<JobState, u64>,
    /// When it was enqueued.
    pub created_at: SystemTime,
    /// When it ended.
    pub ended_at: Option<SystemTime>,
    /// When what is left of it is cancelled.
    pub deadline: Option<SystemTime>,
    /// The name of the person or program that cancelled it, if it was cancelled.
    pub cancelled_by: Option<String>,
    /// The reason of the cancellation, if one was given.
    pub cancelled_for: Option<String>,
}

/// The outcome of a workflow: from [`WorkflowHandle::wait`](crate::WorkflowHandle::wait).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a workflow can fail: match on the outcome, or use `?` on `into_result()`"]
pub enum WorkflowOutcome {
    /// Every step completed.
    Completed,
    /// A step did not complete.
    Failed,
    /// It was cancelled by somebody, or its deadline passed.
    Cancelled,
}

/// The end of a workflow in which a step did not complete: from [`WorkflowOutcome::into_result`].
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the workflow ended as {0}: its graph, `run.graph(&client)`, has the steps that did not complete")]
pub struct WorkflowNotCompleted(pub WorkflowOutcome);

crate::debug_as_message!(WorkflowNotCompleted);

impl WorkflowStatus {
    pub(crate) fn read(id: WorkflowId, row: &PgRow) -> Result<Self, sqlx::Error> {
        let maybe = |name| row.try_get::<Option<i64>, _>(name).map(|micros| micros.map(time));
        let invalid = |error: String| sqlx::Error::Decode(error.into());
        let outcome: Option<&str> = row.try_get("outcome")?;
        let steps: Option<&str> = row.try_get("steps")?;
        Ok(Self {
            id,
            name: row.try_get("name")?,
            outcome: outcome.map(str::parse).transpose().map_err(invalid)?,
            steps: serde_json::from_str(steps.unwrap_or("{}")).map_err(|error| invalid(error.to_string()))?,
            created_at: time(row.try_get("created_at")?),
            ended_at: maybe("ended_at")?,
            deadline: maybe("deadline")?,
            cancelled_by: row.try_get("cancelled_by")?,
            cancelled_for: row.try_get("cancelled_for")?,
        })
    }

    /// The number of its steps in this state.
    #[must_use]
    pub fn count(&self, state: JobState) -> u64 {
        self.steps.get(&state).copied().unwrap_or(0)
    }

    /// The number of all its steps, including those that running steps have added so far.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.steps.values().sum()
    }

    /// The number of its steps that have ended, in any way.
    #[must_use]
    pub fn ended(&self) -> u64 {
        [JobState::Completed, JobState::Dead, JobState::Cancelled, JobState::Expired]
            .map(|state| self.count(state))
            .iter()
            .sum()
    }
}

impl WorkflowOutcome {
    /// The word for it, in SQL and in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns an error unless every step completed.
    ///
    /// ```
    /// use pgjobq_core::WorkflowOutcome;
    ///
    /// assert!(WorkflowOutcome::Completed.into_result().is_ok());
    /// assert_eq!(
    ///     WorkflowOutcome::Failed.into_result().unwrap_err().to_string(),
    ///     "the workflow ended as failed: its graph, `run.graph(&client)`, has the steps that did not complete"
    /// );
    /// ```
    ///
    /// # Errors
    ///
    /// [`WorkflowNotCompleted`], if a step did not complete.
    pub fn into_result(self) -> Result<(), WorkflowNotCompleted> {
        if self == Self::Completed { Ok(()) } else { Err(WorkflowNotCompleted(self)) }
    }
}

impl fmt::Display for WorkflowOutcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl FromStr for WorkflowOutcome {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::Completed, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|outcome| outcome.as_str() == word)
            .ok_or_else(|| format!("`{word}` is no outcome of a workflow"))
    }
}
