//! The names that a filter may compare with.

use crate::statistics::Snapshot;

/// The names that a filter may compare with.
pub(crate) struct Names<'n> {
    pub(crate) queues: Vec<&'n str>,
    pub(crate) kinds: Vec<&'n str>,
}

impl<'n> Names<'n> {
    pub(crate) fn of(snapshot: &'n Snapshot) -> Self {
        Self {
            queues: snapshot.fleet.queues.iter().map(|queue| &*queue.queue).collect(),
            kinds: snapshot.kinds.iter().map(|kind| &**kind).collect(),
        }
    }
}
