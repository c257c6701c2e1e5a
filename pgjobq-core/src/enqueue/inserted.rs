//! The result of an enqueue.

/// The result of an enqueue. What has become of each job is in its row.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Inserted {
    /// False if it was a workflow that had been enqueued before.
    pub is_new: bool,
    /// True if it is certainly committed.
    pub committed: bool,
}
