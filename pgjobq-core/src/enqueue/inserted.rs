//! The result of an enqueue.

/// The result of an enqueue.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Inserted {
    /// The number of new jobs, or of new workflows; the others are duplicates.
    pub new: u64,
    /// The number of jobs that were dropped, because their queue is full.
    pub dropped: u64,
    /// True if the jobs are certainly committed.
    pub committed: bool,
}
