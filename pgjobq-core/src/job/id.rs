//! The identity of a job.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
/// # Ok::<_, uuid::Error>(())
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
    pub(crate) fn shard(self, shards: i16) -> i16 {
        let bits = (self.0.as_u128() & 0x3ff) as i16;
        bits % shards
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

impl FromStr for JobId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
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
