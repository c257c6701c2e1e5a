//! Detects that the database is no longer the one for which the worker was built, mends its queues, follows their settings, and
//! reports other problems.

use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::worker_api::{QueueStanding, chain};
use pgjobq_core::{DatabaseError, JobId};

use super::Upkeep;
use crate::pause::jittered;
use crate::runtime::Runtime;

/// The number of heartbeats between two looks.
const HEARTBEATS_PER_LOOK: u32 = 6;
/// The pause between a request for a look and the look, so that many requests cause few looks.
const REQUEST_PAUSE: Duration = Duration::from_millis(250);

/// Looks at the worker's queues, mends them, and reports problems.
pub(crate) struct DriftWatch(pub(crate) Arc<Runtime>);

impl Upkeep for DriftWatch {
    const ACTIVITY: &'static str = "looking at the worker's queues";

    async fn round(&mut self) -> Result<Duration, DatabaseError> {
        let problems = match look(&self.0).await {
            Ok(problems) => problems,
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => vec![format!("the worker's queues cannot be read: {}", chain(&error))],
        };
        self.0.problems.replace(problems);
        Ok(self.first_pause())
    }

    async fn woken(&mut self) {
        self.0.events.check_queues.notified().await;
        tokio::time::sleep(REQUEST_PAUSE).await;
    }

    fn first_pause(&self) -> Duration {
        jittered(self.0.config.heartbeat * HEARTBEATS_PER_LOOK)
    }
}

/// Mends the queues of this worker. Returns the problems that remain.
async fn look(runtime: &Runtime) -> Result<Vec<String>, DatabaseError> {
    let mut problems = Vec::new();
    let shards = runtime.store.shards().len();
    let standing = runtime.read_queues().await?;
    if standing.first().is_some_and(|queue| runtime.problems.is_set_back(queue.drawn)) {
        runtime.store.repair_tickets().await?;
    }
    for queue in standing {
        if usize::try_from(queue.shards) != Ok(shards) {
            let now = queue.shards;
            return Ok(vec![format!(
                "the schema has {now} shards and had {shards} when this worker was built: restart the worker"
            )]);
        }
        if runtime.problems.is_deleted(&queue) {
            let name = &queue.name;
            problems.push(format!(
                "the queue `{name}` was deleted while this worker serves it: save it again, or restart the worker"
            ));
        } else {
            mend(runtime, queue).await?;
        }
    }
    for (id, kind, job) in runtime.store.unaccepted(&runtime.queue_ids()).await? {
        let name = runtime.find_queue(id).map_or("?", |queue| &queue.name);
        problems.push(format!(
            "jobs of the kind `{kind}` wait in the queue `{name}`, {}",
            refusal(runtime, &kind, job)
        ));
    }
    Ok(problems)
}

/// Says why no live worker accepts the jobs of a kind, as this worker knows.
fn refusal(runtime: &Runtime, kind: &str, job: JobId) -> String {
    if runtime.kinds.all.contains(&kind) {
        return format!("and no live worker accepts them: `select * from pgjobq.explain('{job}')` says why");
    }
    let why = match runtime.registry.get(kind) {
        Some(_) => "this worker lacks a state that the job function takes: give it one with `.state(…)`",
        None => {
            "this program has no job function of that kind: run a worker that has it, or cancel them; if it is in another crate of \
             this program, write `use my_jobs as _;` so that the crate is linked"
        }
    };
    format!("no live worker can run them, and {why}")
}

/// Recreates a queue or its lanes if they are gone, and follows a queue that was recreated under another id.
async fn mend(runtime: &Runtime, queue: QueueStanding) -> Result<(), DatabaseError> {
    let Some(served) = runtime.queues.iter().find(|served| *served.name == queue.name) else { return Ok(()) };
    let id = match queue.id {
        Some(id) if !queue.incomplete => id,
        _ => {
            runtime.client.record(&runtime.registry).await?;
            let id = runtime.client.save_queue(&queue.name).await?;
            tracing::warn!(
                queue = queue.name,
                id = id.0,
                "the queue, or a lane of it, was gone; it is recreated"
            );
            runtime.arrivals.note(&[id]);
            id
        }
    };
    if id != served.id() {
        tracing::warn!(
            queue = queue.name,
            id = id.0,
            "the queue has another id; the worker serves it under that"
        );
        served.set_id(id);
        runtime.arrivals.note(&[id]);
    }
    runtime.events.claim.notify_one();
    Ok(())
}
