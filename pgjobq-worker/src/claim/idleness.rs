//! Announces the queues that are idle here, in which this worker wants to be notified of new work.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pgjobq_core::worker_api::{QueueId, WorkerId};

use super::lane::LaneState;
use crate::runtime::Runtime;

/// The time after which a busy queue is no longer announced.
const BUSY_AFTER: Duration = Duration::from_secs(2);
/// The least time between two comparisons, each of which looks at every lane.
const COMPARE_INTERVAL: Duration = Duration::from_millis(20);

/// The announcement last sent: our worker id and its idle queues. Sent again after the worker has registered under a new id.
#[derive(Debug)]
pub(super) struct Idleness {
    announced: (WorkerId, BTreeSet<QueueId>),
    compared: Instant,
    /// The announcement in flight.
    sent: Option<(WorkerId, BTreeSet<QueueId>)>,
}

impl Default for Idleness {
    fn default() -> Self {
        Self { announced: (WorkerId::default(), BTreeSet::new()), compared: Instant::now(), sent: None }
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
        let announcement = (worker, idle.collect::<BTreeSet<_>>());
        if self.announced == announcement {
            return None;
        }
        let queues = announcement.1.iter().copied().collect();
        self.sent = Some(announcement);
        Some((worker, queues))
    }

    /// Notes whether the announcement in flight has arrived.
    pub(super) fn answered(&mut self, has_arrived: bool) {
        if let Some(sent) = self.sent.take().filter(|_| has_arrived) {
            self.announced = sent;
        }
    }
}
