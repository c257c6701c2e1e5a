//! The names that a filter may compare with.

use crate::statistics::Snapshot;

/// The names that a filter may compare with, as far as they are known.
pub(crate) struct Names<'n> {
    pub(crate) queues: Vec<&'n str>,
    pub(crate) kinds: Vec<&'n str>,
}

impl<'n> Names<'n> {
    /// Returns those of a snapshot, or none without one.
    pub(crate) fn of(snapshot: Option<&'n Snapshot>) -> Self {
        let (queues, kinds) = snapshot.map_or((&[][..], &[][..]), |of| (&of.fleet.queues, &of.kinds));
        Self {
            queues: queues.iter().map(|queue| &*queue.queue).collect(),
            kinds: kinds.iter().map(|kind| &**kind).collect(),
        }
    }
}
