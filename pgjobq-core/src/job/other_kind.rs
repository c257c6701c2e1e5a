//! The check that a job is of the kind that its handle says.

use crate::JobId;
use crate::job::descriptor::JobDescriptor;

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

/// Checks the kind that a job's row has: that of the handle, or an alias of it.
pub(crate) fn check_kind(id: JobId, expected: &'static str, found: &str) -> Result<(), OtherKind> {
    if found == expected || names_of(expected).contains(&found) {
        return Ok(());
    }
    Err(OtherKind { id, found: found.to_owned(), expected })
}

/// The names under which jobs of this kind are stored: the kind, and its aliases in this program.
pub(crate) fn names_of(kind: &'static str) -> Vec<&'static str> {
    let same = inventory::iter::<JobDescriptor>().filter(|job| job.kind == kind);
    std::iter::once(kind).chain(same.flat_map(|job| job.aliases.iter().copied())).collect()
}
