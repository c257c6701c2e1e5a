//! The lists that the database makes anew for each question, and that all viewers share.

use std::time::Duration;

use pgjobq::{Client, DeadGroup, LimitState, RegisteredWorker};

use crate::problem::Problem;
use crate::shared::{Seen, Shared};
use crate::statistics::INTERVAL;

/// The largest number of groups of dead jobs.
const MOST_GROUPS: u32 = 100;

/// The lists that all viewers share.
pub(crate) struct Lists {
    client: Client,
    dead: Shared<Vec<DeadGroup>>,
    limits: Shared<Vec<LimitState>>,
    workers: Shared<Vec<RegisteredWorker>>,
}

impl Lists {
    /// Makes lists that are asked for once in an interval, or more often if that is long: people look at them after an action.
    pub(crate) fn new(client: Client, interval: Duration) -> Self {
        let interval = interval.min(INTERVAL);
        let (dead, limits, workers) = (Shared::new(interval), Shared::new(interval), Shared::new(interval));
        Self { client, dead, limits, workers }
    }

    pub(crate) fn dead_at_hand(&self) -> Option<Seen<Vec<DeadGroup>>> {
        self.dead.at_hand()
    }

    /// Returns the groups of dead jobs, the largest first.
    pub(crate) async fn dead(&self) -> Result<Seen<Vec<DeadGroup>>, Problem> {
        self.dead.get(self.client.dead_groups(MOST_GROUPS)).await
    }

    pub(crate) fn limits_at_hand(&self) -> Option<Seen<Vec<LimitState>>> {
        self.limits.at_hand()
    }

    /// Returns the limits over the whole fleet.
    pub(crate) async fn limits(&self) -> Result<Seen<Vec<LimitState>>, Problem> {
        self.limits.get(self.client.fleet_limits()).await
    }

    pub(crate) fn workers_at_hand(&self) -> Option<Seen<Vec<RegisteredWorker>>> {
        self.workers.at_hand()
    }

    /// Returns the registered workers.
    pub(crate) async fn workers(&self) -> Result<Seen<Vec<RegisteredWorker>>, Problem> {
        self.workers.get(self.client.workers()).await
    }

    /// Lets the next caller ask anew, because an action has changed what is shown.
    pub(crate) fn note_change(&self) {
        self.dead.note_change();
        self.limits.note_change();
        self.workers.note_change();
    }
}
