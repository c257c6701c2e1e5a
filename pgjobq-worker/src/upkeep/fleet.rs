//! Sets the gauges of the fleet. Each worker with metrics asks for the state of the fleet, and one of them measures it.

use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::chain;

use super::Upkeep;
use crate::pause::jittered;
use crate::runtime::Runtime;

/// The shortest pause, if the state was too old and another worker was measuring it.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);

/// Sets the gauges of the fleet.
pub(crate) struct FleetWatch {
    runtime: Arc<Runtime>,
    /// True once a refusal was logged, which will not heal by itself.
    warned: bool,
}

impl FleetWatch {
    pub(crate) fn new(runtime: Arc<Runtime>) -> Self {
        Self { runtime, warned: false }
    }
}

impl Upkeep for FleetWatch {
    const ACTIVITY: &'static str = "measuring the fleet";

    /// The next round comes just after the state has become too old.
    async fn round(&mut self) -> Result<Duration, DatabaseError> {
        let client = &self.runtime.client;
        let interval = client.fleet_interval();
        let fleet = match client.fleet_state(interval).await {
            Ok(fleet) => fleet,
            Err(error) => {
                if !error.is_transient() && !std::mem::replace(&mut self.warned, true) {
                    tracing::warn!(
                        error = chain(&error),
                        "the gauges of the fleet cannot be measured; trying again"
                    );
                }
                return Err(error);
            }
        };
        let age = fleet.as_ref().map_or(interval, |fleet| fleet.age);
        if let Some(fleet) = fleet {
            client.set_gauges(&fleet);
        }
        Ok(interval.saturating_sub(age).max(SHORTEST_PAUSE) + jittered(SHORTEST_PAUSE) / 4)
    }
}
