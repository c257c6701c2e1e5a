//! The state of the whole fleet, measured once for all viewers.

use std::time::{Duration, SystemTime};

use pgjobq::measure::FleetState;
use pgjobq::{Client, DatabaseError, Pause, PauseScope, Throughput};

use crate::problem::Problem;
use crate::shared::{Seen, Shared};

/// The default age at which the statistics are measured anew, and the highest age of the lists that all viewers share.
pub(crate) const INTERVAL: Duration = Duration::from_secs(5);

/// The state of the whole fleet at one moment.
pub(crate) struct Snapshot {
    pub(crate) fleet: FleetState,
    pub(crate) throughput: Vec<Throughput>,
    pub(crate) pauses: Vec<Pause>,
    /// The kinds that programs have recorded.
    pub(crate) kinds: Vec<String>,
    /// The time of the measurement, which another process may have made.
    pub(crate) at: SystemTime,
}

impl Snapshot {
    /// Returns whether a queue is paused.
    pub(crate) fn is_paused(&self, queue: &str) -> bool {
        self.pauses.iter().any(|pause| pause.scope == PauseScope::Queue && pause.name == queue)
    }
}

/// Measures the state of the fleet, and keeps it for an interval.
pub(crate) struct Statistics {
    client: Client,
    interval: Duration,
    read_only: bool,
    shared: Shared<Snapshot>,
}

impl Statistics {
    pub(crate) fn new(client: Client, interval: Duration, read_only: bool) -> Self {
        Self { client, interval, read_only, shared: Shared::new(interval) }
    }

    /// Returns the state if it is at most an interval old. Asks no database.
    pub(crate) fn at_hand(&self) -> Option<Seen<Snapshot>> {
        self.shared.at_hand()
    }

    /// Returns the state, at most an interval old, or an older one if the database cannot be asked.
    pub(crate) async fn current(&self) -> Result<Seen<Snapshot>, Problem> {
        self.shared.get(self.measure()).await
    }

    /// Lets the next caller look anew, because an action has changed what is shown.
    pub(crate) fn note_change(&self) {
        self.shared.note_change();
    }

    async fn measure(&self) -> Result<Snapshot, DatabaseError> {
        let fleet = match self.shared_state().await? {
            Some(fleet) => fleet,
            None => self.client.fleet_state_unstored(self.interval).await?,
        };
        let at = SystemTime::now().checked_sub(fleet.age).unwrap_or_else(SystemTime::now);
        let (throughput, pauses) = (self.client.throughput().await?, self.client.pauses().await?);
        let kinds = self.client.recorded_kinds().await?.into_iter().map(|kind| kind.kind).collect();
        Ok(Snapshot { fleet, throughput, pauses, kinds, at })
    }

    /// Returns the state that the processes of a fleet share, unless this one may not write or another one measures.
    async fn shared_state(&self) -> Result<Option<FleetState>, DatabaseError> {
        if self.read_only {
            return Ok(None);
        }
        match self.client.fleet_state(self.interval).await {
            Err(DatabaseError::ReadOnly(_)) => Ok(None), // A standby.
            asked => asked,
        }
    }
}
