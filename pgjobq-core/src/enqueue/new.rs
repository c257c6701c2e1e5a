//! The input of an enqueue.

use std::sync::Arc;

use crate::enqueue::row::Row;
use crate::workflow::plan::Plan;

/// The input of an enqueue: jobs, or all steps of a workflow.
#[doc(hidden)]
pub enum New<'n> {
    /// After an error, those that are not known to be enqueued.
    Jobs(&'n mut Vec<Arc<Row>>),
    /// The same, without a wait for room in a full queue.
    AtOnce(&'n mut Vec<Arc<Row>>),
    /// All of it, or nothing.
    Workflow(&'n Plan),
}
