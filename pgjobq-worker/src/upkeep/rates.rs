//! Records the numbers of attempts that have ended in each queue, for its statistics.

use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::DatabaseError;

use super::Upkeep;
use crate::pause::jittered;
use crate::runtime::Runtime;

/// Records the numbers of ended attempts.
pub(crate) struct RateRecorder(pub(crate) Arc<Runtime>);

impl Upkeep for RateRecorder {
    const ACTIVITY: &'static str = "recording the rates of ended attempts";

    /// Counts that could not be recorded are recorded in the next round.
    async fn round(&mut self) -> Result<Duration, DatabaseError> {
        let queues = self.0.queues.iter().map(|queue| (queue, queue.take_rates()));
        let rates: Vec<_> = queues.filter(|(_, rates)| !rates.is_zero()).collect();
        if !rates.is_empty() {
            let counts: Vec<_> =
                rates.iter().map(|(queue, rates)| (queue.id(), rates.completed, rates.failed)).collect();
            if let Err(error) = self.0.store.note_rates(&counts).await {
                rates.iter().for_each(|(queue, rates)| queue.add_back(*rates));
                return Err(error);
            }
        }
        Ok(jittered(self.0.config.heartbeat))
    }
}
