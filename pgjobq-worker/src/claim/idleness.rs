//! The announcement of the queues in which this worker wants to be notified of work: those that were idle lately.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::claim::lane::LaneState;
use crate::runtime::Runtime;

/// How long a queue must have been busy before its worker no longer wants to be notified of work in it.
const BUSY_AFTER: Duration = Duration::from_secs(2);

/// How often it is compared at most.
const COMPARE_EVERY: Duration = Duration::from_millis(20);

/// The announcement last sent: the worker's id and its queues. A worker that registers anew announces them anew.
#[derive(Debug)]
pub(crate) struct Idleness {
    announced: (i64, BTreeSet<i32>),
    /// When it was last compared, which takes a look at every lane.
    compared: Instant,
    /// The one on its way.
    sent: Option<(i64, BTreeSet<i32>)>,
}

impl Default for Idleness {
    fn default() -> Self {
        Self { announced: (0, BTreeSet::new()), compared: Instant::now(), sent: None }
    }
}

impl Idleness {
    /// What to announce, if it differs from what was announced last.
    pub(crate) fn next_announcement(
        &mut self,
        runtime: &Runtime,
        lanes: &mut [LaneState],
        now: Instant,
    ) -> Option<(i64, Vec<i32>)> {
        if self.sent.is_some() || !runtime.client.uses_notifications() {
            return None;
        }
        let worker = runtime.worker();
        if self.announced.0 == worker && now - self.compared < COMPARE_EVERY {
            return None;
        }
        self.compared = now;
        let mut queues = BTreeSet::new();
        for lane in lanes {
            if now - lane.idle_for_the_last_time(now) < BUSY_AFTER {
                queues.insert(lane.lane.queue);
            }
        }
        if self.announced.0 == worker && self.announced.1 == queues {
            return None;
        }
        let listed = queues.iter().copied().collect();
        self.sent = Some((worker, queues));
        Some((worker, listed))
    }

    pub(crate) fn answered(&mut self, arrived: bool) {
        if let Some(sent) = self.sent.take().filter(|_| arrived) {
            self.announced = sent;
        }
    }
}
