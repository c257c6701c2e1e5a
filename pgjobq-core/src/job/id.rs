//! The identity of a job.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::db::ids::Shard;

/// The identity of a job: a UUID that the client makes.
///
/// Because the client makes it, enqueuing is idempotent (the same id again, while the job lives, is a duplicate and
/// never a second job), and a caller can wait for a job before it is enqueued. Bring your own with
/// `JobId::from(uuid)`.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use pgjobq::JobId;
///
/// let id = JobId::new();
/// assert_eq!(id.to_string().parse::<JobId>()?, id);
/// assert_eq!(
///     "7".parse::<JobId>().unwrap_err().to_string(),
///     "a job's id is a UUID, like 01980a5c-93f4-7b2e-8d11-6b5c0f7a2e9d, and this is none: \"7\""
/// );
/// # Ok::<_, pgjobq::InvalidJobId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Uuid);

impl JobId {
    /// Makes a new id: a UUIDv7, so that jobs enqueued together are neighbors in the index.
    #[must_use]
    #[allow(clippy::new_without_default)] // Two defaults that differ would surprise.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// Returns the id as a UUID.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }

    /// Returns the shard of the job: the last ten bits of the id, modulo the number of shards. It is a pure function
    /// of the id, so that a handle can find its job.
    pub(crate) fn shard(self, shards: i16) -> Shard {
        let bits = (self.0.as_u128() & 0x3ff) as i16;
        Shard(bits % shards)
    }
}

impl From<Uuid> for JobId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl From<JobId> for Uuid {
    fn from(id: JobId) -> Self {
        id.0
    }
}

/// A text that is no job's id: from [`JobId::from_str`].
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidJobId {
    /// Its beginning.
    text: String,
}

crate::debug_as_message!(InvalidJobId);

/// The longest part of an invalid text that an error shows.
const SHOWN_CHARACTERS: usize = 50;

impl fmt::Display for InvalidJobId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let example = "01980a5c-93f4-7b2e-8d11-6b5c0f7a2e9d";
        write!(out, "a job's id is a UUID, like {example}, and this is none: {:?}", self.text)
    }
}

impl std::error::Error for InvalidJobId {}

impl FromStr for JobId {
    type Err = InvalidJobId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |_| InvalidJobId { text: text.chars().take(SHOWN_CHARACTERS).collect() };
        text.parse().map(Self).map_err(invalid)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "JobId({})", self.0)
    }
}
