//! Notifies observers of new jobs.

use std::collections::HashSet;
use std::sync::Arc;

use super::event::{Enqueued, Event, ObservedJob};
use super::observer::Observers;
use crate::enqueue::outcome::EnqueueOutcome;
use crate::enqueue::row::Row;

impl Observers {
    /// Emits an event for each of these rows that is a new job. Of two with the same id the second is none.
    pub(crate) fn enqueued<'r>(&self, rows: impl IntoIterator<Item = &'r Row>, committed: bool) {
        self.emit(|events| {
            let (mut last, mut ids) = (None::<Arc<str>>, HashSet::new());
            let mut is_new = |row: &&Row| row.outcome.get() == EnqueueOutcome::New && ids.insert(row.id);
            for row in rows.into_iter().filter(|row| is_new(row)) {
                let same = last.take().filter(|queue| **queue == *row.queue);
                let queue = same.unwrap_or_else(|| row.queue.as_str().into());
                last = Some(Arc::clone(&queue));
                let job = ObservedJob { id: row.id, kind: row.kind.into(), queue, attempt: 0 };
                events.push(Event::Enqueued(Enqueued { job, committed }));
            }
        });
    }
}
