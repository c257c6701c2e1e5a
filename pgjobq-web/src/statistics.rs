//! The state of the whole fleet, measured once for all viewers.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use pgjobq::measure::FleetState;
use pgjobq::{Client, DatabaseError, Pause, Throughput};
use tokio::sync::Mutex;

/// The state of the whole fleet at one moment.
pub(crate) struct Snapshot {
    pub(crate) fleet: FleetState,
    pub(crate) throughput: Vec<Throughput>,
    pub(crate) pauses: Vec<Pause>,
    /// The kinds that programs have recorded.
    pub(crate) kinds: Vec<String>,
    pub(crate) at: SystemTime,
}

/// Measures the state of the fleet, and keeps it for an interval.
pub(crate) struct Statistics {
    client: Client,
    interval: Duration,
    read_only: bool,
    last: Mutex<Option<(Instant, Arc<Snapshot>)>>,
}

impl Statistics {
    pub(crate) fn new(client: Client, interval: Duration, read_only: bool) -> Self {
        Self { client, interval, read_only, last: Mutex::default() }
    }

    /// Returns the state, at most an interval old. One caller measures while the others wait for it. If that fails they see the
    /// last state, with its age.
    pub(crate) async fn current(&self) -> Result<Arc<Snapshot>, DatabaseError> {
        let mut last = self.last.lock().await;
        let kept = last.as_ref().map(|(at, snapshot)| (at.elapsed(), Arc::clone(snapshot)));
        if let Some((_, snapshot)) = kept.as_ref().filter(|(age, _)| *age < self.interval) {
            return Ok(Arc::clone(snapshot));
        }
        match self.measure().await {
            Ok(snapshot) => {
                let snapshot = Arc::new(snapshot);
                *last = Some((Instant::now(), Arc::clone(&snapshot)));
                Ok(snapshot)
            }
            Err(error) => {
                tracing::warn!(%error, "the dashboard could not measure the state of the fleet");
                let Some((_, snapshot)) = kept else { return Err(error) };
                *last = Some((Instant::now(), Arc::clone(&snapshot))); // The next try is an interval later.
                Ok(snapshot)
            }
        }
    }

    async fn measure(&self) -> Result<Snapshot, DatabaseError> {
        // The processes of a fleet share what they measure, unless this one may not write.
        let shared = if self.read_only { None } else { self.client.fleet_state(self.interval).await? };
        let fleet = match shared {
            Some(fleet) => fleet,
            None => self.client.fleet_state_unstored(self.interval).await?,
        };
        let at = SystemTime::now().checked_sub(fleet.age).unwrap_or_else(SystemTime::now);
        let (throughput, pauses) = (self.client.throughput().await?, self.client.pauses().await?);
        let kinds = self.client.recorded_kinds().await?.into_iter().map(|kind| kind.kind).collect();
        Ok(Snapshot { fleet, throughput, pauses, kinds, at })
    }
}
