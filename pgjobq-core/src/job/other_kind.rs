//! The check that a job has the kind that its handle expects.

use crate::JobId;

/// A job is of another kind than its handle: from every call on a [`JobHandle`](crate::JobHandle).
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "job {id} is {} `{found}`, not {} `{expected}`: make its handle with `{found}::handle(id)`, or use `client.job(id)`",
    article(found),
    article(expected)
)]
#[non_exhaustive]
pub struct OtherKind {
    /// The job.
    pub id: JobId,
    /// Its kind.
    pub found: String,
    /// The kind of the handle.
    pub expected: &'static str,
}

crate::debug_as_message!(OtherKind);

fn article(kind: &str) -> &'static str {
    if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

impl OtherKind {
    /// Checks the kind of a job's row. It must be among the names of the handle's kind: the kind itself, and then its aliases.
    pub(crate) fn check(id: JobId, names: &[&'static str], found: &str) -> Result<(), Self> {
        match names {
            [expected, ..] if !names.contains(&found) => Err(Self { id, found: found.to_owned(), expected }),
            _ => Ok(()),
        }
    }
}
