//! The gauges of the fleet, and of the workers of this process.

use std::sync::Arc;
use std::time::Duration;

use crate::DatabaseError;
use crate::chain::chain;
use crate::client::Client;
use crate::jitter::jittered;
use crate::measure::fleet::FleetState;
use crate::measure::measures::SlotsOfQueue;

/// The shortest pause, if the state was too old and another process was measuring it.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause after an error.
const ERROR_PAUSE: Duration = Duration::from_secs(5);

impl Client {
    /// Sets the gauges of the fleet once in each interval, until the client is closed. Spawn it in a process with
    /// [metrics](crate::measure) that has no worker: one that only enqueues, or that watches. A worker does this by itself.
    ///
    /// With at least one such process the gauges stay true when every worker is down. Nothing is measured twice: see
    /// [`fleet_state`](Self::fleet_state). Without metrics it returns at once.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # fn example(client: pgjobq::Client) {
    /// tokio::spawn(async move { client.keep_gauges().await });
    /// # }
    /// ```
    pub async fn keep_gauges(&self) {
        if !self.is_measured() {
            return;
        }
        let mut warned = false;
        let stop = self.shared().stop.clone();
        let rounds = async {
            loop {
                let pause = match self.set_gauges_once(&mut warned).await {
                    Ok(pause) => pause,
                    Err(_) => jittered(self.fleet_interval().min(ERROR_PAUSE)),
                };
                tokio::time::sleep(pause).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = rounds => {}
        }
    }

    /// Sets the gauges to the state of the fleet. Returns the pause until just after that has become too old. An error that will not
    /// heal by itself is logged once.
    #[doc(hidden)]
    pub async fn set_gauges_once(&self, warned: &mut bool) -> Result<Duration, DatabaseError> {
        let interval = self.fleet_interval();
        let fleet = self.fleet_state(interval).await.inspect_err(|error| {
            if !error.is_transient() && !std::mem::replace(warned, true) {
                let error = chain(error);
                tracing::warn!(error, "the gauges of the fleet cannot be measured; trying again");
            }
        })?;
        let age = fleet.as_ref().map_or(interval, |fleet| fleet.age);
        if let Some(fleet) = fleet {
            self.set_gauges(&fleet);
        }
        Ok(interval.saturating_sub(age).max(SHORTEST_PAUSE) + jittered(SHORTEST_PAUSE) / 4)
    }

    /// Sets the gauges to this state.
    fn set_gauges(&self, fleet: &FleetState) {
        self.sql().telemetry.measures.iter().for_each(|measures| measures.set_fleet(fleet));
    }

    /// Sets the gauges of one worker of this process, which has any number of its own. Without queues it is forgotten.
    #[doc(hidden)]
    pub fn set_slots(&self, worker: usize, slots: &[SlotsOfQueue]) {
        self.sql().telemetry.measures.iter().for_each(|measures| measures.set_slots(worker, slots));
    }

    /// Begins the counters of rare faults of the jobs that a worker takes.
    #[doc(hidden)]
    pub fn begin_counters(&self, queue: &Arc<str>, kind: &'static str) {
        self.sql().telemetry.measures.iter().for_each(|measures| measures.begin(queue, kind));
    }

    /// Returns whether there are gauges to set.
    #[doc(hidden)]
    #[must_use]
    pub fn is_measured(&self) -> bool {
        !self.sql().telemetry.measures.is_empty()
    }

    /// The time between two measurements of the fleet.
    fn fleet_interval(&self) -> Duration {
        self.sql().telemetry.fleet_interval
    }
}
