//! Full queues: what an answer says of them, and what an enqueue does then.

use std::fmt;

use serde::Deserialize;
use uuid::Uuid;

use crate::db::ids::QueueId;
use crate::{EnqueueError, JobId};

/// The behaviour of an enqueue when its queue has reached its bound: for [`SaveQueue::when_full`](crate::SaveQueue::when_full).
///
/// In a caller's transaction an enqueue never waits and cancels nothing: there, and on a bare pool or connection, `Wait` and
/// `DropOldest` are like `Reject`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenFull {
    /// It waits in line for room, at most the client's [`enqueue_timeout`](crate::ClientBuilder::enqueue_timeout). The default.
    #[default]
    Wait,
    /// It fails with [`EnqueueError::QueueFull`].
    Reject,
    /// It cancels the job that has waited in line for the longest time.
    DropOldest,
    /// It succeeds, and the job is not enqueued: its outcome is [`EnqueueOutcome::Dropped`](crate::EnqueueOutcome::Dropped).
    DropNew,
}

impl WhenFull {
    /// In the order of `full_policies` in the schema.
    const ALL: [Self; 4] = [Self::Wait, Self::Reject, Self::DropOldest, Self::DropNew];

    /// Returns what this word of SQL says. A word that a later version wrote is like `wait`.
    pub(crate) fn of(word: &str) -> Self {
        Self::ALL.into_iter().find(|policy| policy.word() == word).unwrap_or_default()
    }

    /// Returns its number as a setting, counted from 1.
    pub(crate) fn number(self) -> i64 {
        self as i64 + 1
    }

    /// Returns the policy with this number. A number that a later version wrote is like `wait`.
    pub(crate) fn numbered(number: i64) -> Self {
        Self::ALL.into_iter().find(|policy| policy.number() == number).unwrap_or_default()
    }

    /// Returns the word for it in SQL.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Reject => "reject",
            Self::DropOldest => "drop_oldest",
            Self::DropNew => "drop_new",
        }
    }
}

impl fmt::Display for WhenFull {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.word())
    }
}

/// A queue that had no room for some jobs of a statement.
#[derive(Clone, Debug)]
pub(crate) struct Full {
    pub(crate) queue: String,
    pub(crate) id: QueueId,
    pub(crate) bound: u32,
    pub(crate) when_full: WhenFull,
    /// The jobs that were left out.
    pub(crate) jobs: Vec<Uuid>,
}

impl Full {
    /// Reads the queues that `describe_full` describes.
    pub(crate) fn read(text: Option<&str>) -> Result<Vec<Self>, serde_json::Error> {
        #[derive(Deserialize)]
        struct Described {
            id: i32,
            bound: u32,
            when_full: String,
            jobs: Vec<Uuid>,
        }
        let Some(text) = text else { return Ok(Vec::new()) };
        let queues: std::collections::BTreeMap<String, Described> = serde_json::from_str(text)?;
        let full = queues.into_iter().map(|(queue, Described { id, bound, when_full, jobs })| Self {
            queue,
            id: QueueId(id),
            bound,
            when_full: WhenFull::of(&when_full),
            jobs,
        });
        Ok(full.collect())
    }

    /// Returns the same about one job.
    pub(crate) fn of(&self, job: JobId) -> Self {
        Self { queue: self.queue.clone(), jobs: vec![job.as_uuid()], ..*self }
    }

    /// The error of a job that has no room.
    pub(crate) fn error(&self) -> EnqueueError {
        EnqueueError::QueueFull { queue: self.queue.clone(), bound: self.bound }
    }
}

/// The behaviour of a statement if a bounded queue has less room than it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// It inserts nothing.
    ForAll,
    /// It inserts as many jobs as fit, but none before those who wait in line.
    ForSome,
    /// It inserts as many as fit. The caller has waited in line.
    InTurn,
}

impl Room {
    /// Returns the word for it in SQL.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::ForAll => "all",
            Self::ForSome => "some",
            Self::InTurn => "turn",
        }
    }
}
