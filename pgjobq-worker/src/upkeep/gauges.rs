//! Sets gauges: those of this worker's slots, and those of the fleet. Each worker with metrics asks for the state of the fleet, and one
//! of them measures it.

use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::{JobDescriptor, SlotsOfQueue};

use super::Upkeep;
use crate::runtime::Runtime;

/// Sets gauges. When it is dropped, those of this worker become zero.
pub(crate) struct Gauges {
    runtime: Arc<Runtime>,
    /// True once a refusal was logged, which will not heal by itself.
    warned: bool,
}

impl Gauges {
    pub(crate) fn new(runtime: Arc<Runtime>) -> Self {
        for queue in &runtime.queues {
            let is_taken =
                |job: &&JobDescriptor| *job.policy.queue == *queue.name && runtime.kinds.can_run(job.kind);
            for job in runtime.registry.jobs().filter(is_taken) {
                runtime.client.begin_counters(&queue.name, job.kind);
            }
        }
        Self { runtime, warned: false }
    }
}

/// The number of this worker in its process.
fn number(runtime: &Arc<Runtime>) -> usize {
    Arc::as_ptr(runtime).addr()
}

impl Upkeep for Gauges {
    const ACTIVITY: &'static str = "setting gauges";

    async fn round(&mut self) -> Result<Duration, DatabaseError> {
        let runtime = &self.runtime;
        let running = runtime.in_flight.by_queue();
        let slots = runtime.queues.iter().map(|queue| SlotsOfQueue {
            queue: Arc::clone(&queue.name),
            slots: queue.limit(),
            used: running.get(&*queue.name).copied().unwrap_or_default() + queue.count_calls(),
        });
        runtime.client.set_slots(number(runtime), &slots.collect::<Vec<_>>());
        runtime.client.set_gauges_once(&mut self.warned).await
    }
}

impl Drop for Gauges {
    fn drop(&mut self) {
        self.runtime.client.set_slots(number(&self.runtime), &[]);
    }
}
