//! Announces the queues that are idle here, in which this worker wants to be notified of new work.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use pgjobq_core::worker_api::{QueueId, WorkerId};

use super::lane::LaneState;
use crate::runtime::Runtime;

/// The time after which a busy queue is no longer announced.
const BUSY_AFTER: Duration = Duration::from_secs(2);
/// The least time between two comparisons, each of which looks at every lane.
const COMPARE_INTERVAL: Duration = Duration::from_millis(20);

/// The announcement of our worker id and its idle queues. Sent again after the worker has registered under a new id.
#[derive(Debug)]
pub(super) struct Idleness {
    /// The last one that has arrived, and when each queue was first in it.
    announced: (WorkerId, BTreeMap<QueueId, Instant>),
    compared: Instant,
    /// The one in flight.
    sent: Option<(WorkerId, BTreeSet<QueueId>)>,
}

impl Default for Idleness {
    fn default() -> Self {
        Self { announced: (WorkerId::default(), BTreeMap::new()), compared: Instant::now(), sent: None }
    }
}

impl Idleness {
    /// Returns the next announcement, if it differs from the last one.
    pub(super) fn next_announcement(
        &mut self,
        runtime: &Runtime,
        lanes: &mut [LaneState],
        now: Instant,
    ) -> Option<(WorkerId, Vec<QueueId>)> {
        if self.sent.is_some() || !runtime.client.uses_notifications() {
            return None;
        }
        let worker = runtime.worker();
        if self.announced.0 == worker && now - self.compared < COMPARE_INTERVAL {
            return None;
        }
        self.compared = now;
        let idle = lanes.iter_mut().filter_map(|lane| {
            let is_idle = now - lane.last_idle(now) < BUSY_AFTER;
            is_idle.then_some(lane.lane.queue)
        });
        let idle = idle.collect::<BTreeSet<_>>();
        if self.announced.0 == worker && self.announced.1.keys().eq(&idle) {
            return None;
        }
        let queues = idle.iter().copied().collect();
        self.sent = Some((worker, idle));
        Some((worker, queues))
    }

    /// Notes whether the announcement in flight has arrived. If its answer was lost, the database may have either one.
    pub(super) fn answered(&mut self, has_arrived: bool, now: Instant) {
        let (before, of) = (std::mem::take(&mut self.announced.1), self.announced.0);
        let Some((worker, queues)) = self.sent.take().filter(|_| has_arrived) else { return };
        let since = |queue: &QueueId| before.get(queue).filter(|_| of == worker).copied().unwrap_or(now);
        self.announced = (worker, queues.into_iter().map(|queue| (queue, since(&queue))).collect());
    }

    /// Returns since when each enqueue into this queue notifies the worker.
    pub(super) fn notified_since(&self, worker: WorkerId, queue: QueueId) -> Option<Instant> {
        let stays = self.sent.as_ref().is_none_or(|(_, queues)| queues.contains(&queue));
        self.announced.1.get(&queue).filter(|_| stays && self.announced.0 == worker).copied()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn announce(idleness: &mut Idleness, queues: &[QueueId], has_arrived: bool, now: Instant) {
        idleness.sent = Some((WorkerId(1), queues.iter().copied().collect()));
        idleness.answered(has_arrived, now);
    }

    #[test]
    fn queue_is_notified_since_its_first_announcement_in_a_row() {
        let (mut idleness, start) = (Idleness::default(), Instant::now());
        let [mail, images] = [1, 2].map(QueueId);
        announce(&mut idleness, &[mail], true, start);
        let later = start + Duration::from_secs(1);
        announce(&mut idleness, &[mail, images], true, later);
        assert_eq!(idleness.notified_since(WorkerId(1), mail), Some(start));
        assert_eq!(idleness.notified_since(WorkerId(1), images), Some(later));
        assert_eq!(idleness.notified_since(WorkerId(2), mail), None, "it was another worker's");
        idleness.sent = Some((WorkerId(1), [images].into()));
        assert_eq!(idleness.notified_since(WorkerId(1), mail), None, "it may be withdrawn by now");
        idleness.answered(false, later);
        assert_eq!(idleness.notified_since(WorkerId(1), images), None, "nobody knows what arrived");
    }
}
