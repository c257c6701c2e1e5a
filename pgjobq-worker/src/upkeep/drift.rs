//! Detects that the database is no longer the one for which the worker was built, mends its queues, follows their settings, and
//! reports other problems.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq_core::worker_api::{QueueId, QueueStanding, chain};
use pgjobq_core::{DatabaseError, JobId};

use super::Upkeep;
use super::lasting::Lasting;
use crate::pause::jittered;
use crate::runtime::Runtime;

/// The number of heartbeats between two looks.
const HEARTBEATS_PER_LOOK: u32 = 6;
/// The pause between a request for a look and the look, so that many requests cause few looks.
const REQUEST_PAUSE: Duration = Duration::from_millis(250);

/// Looks at the worker's queues, mends them, and reports problems.
pub(crate) struct DriftWatch {
    runtime: Arc<Runtime>,
    unaccepted: Lasting<(QueueId, String, JobId)>,
}

impl DriftWatch {
    pub(crate) fn new(runtime: Arc<Runtime>) -> Self {
        Self { runtime, unaccepted: Lasting::new() }
    }

    /// The time for which no worker must have accepted a job before it is reported. After the database's clock was set forward every
    /// worker seems silent until its next heartbeat.
    fn patience(&self) -> Duration {
        self.runtime.config.heartbeat * 2
    }
}

impl Upkeep for DriftWatch {
    const ACTIVITY: &'static str = "looking at the worker's queues";

    async fn round(&mut self) -> Result<Duration, DatabaseError> {
        let problems = match self.look().await {
            Ok(problems) => problems,
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => vec![format!("the worker's queues cannot be read: {}", chain(&error))],
        };
        self.runtime.problems.replace(problems);
        let is_pending = self.unaccepted.is_pending(Instant::now(), self.patience());
        Ok(if is_pending { self.patience() } else { self.first_pause() })
    }

    async fn woken(&mut self) {
        self.runtime.events.check_queues.notified().await;
        tokio::time::sleep(REQUEST_PAUSE).await;
    }

    fn first_pause(&self) -> Duration {
        jittered(self.runtime.config.heartbeat * HEARTBEATS_PER_LOOK)
    }
}

impl DriftWatch {
    /// Mends the queues of this worker. Returns the problems that remain.
    async fn look(&mut self) -> Result<Vec<String>, DatabaseError> {
        let runtime = &self.runtime;
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
        let found = runtime.store.unaccepted(&runtime.queue_ids()).await?;
        for (id, kind, job) in self.unaccepted.note(found, Instant::now(), self.patience()) {
            let name = self.runtime.find_queue(id).map_or("?", |queue| &queue.name);
            problems.push(format!(
                "jobs of the kind `{kind}` wait in the queue `{name}`, {}",
                refusal(&self.runtime, &kind, job)
            ));
        }
        Ok(problems)
    }
}

/// Says why no live worker accepts the jobs of a versioned kind, as this worker knows.
fn refusal(runtime: &Runtime, versioned: &str, job: JobId) -> String {
    let kind = versioned.split('@').next().unwrap_or(versioned);
    if runtime.kinds.all.iter().any(|name| name == versioned) {
        return format!("and no live worker accepts them: `select * from pgjobq.explain('{job}')` says why");
    }
    let why = match runtime.registry.get(kind) {
        Some(_) if runtime.kinds.can_run(kind) => {
            "this program does not read that version of their arguments: run a worker of the code that enqueued them"
        }
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
