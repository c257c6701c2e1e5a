//! Notices when the database is no longer the one that the worker was built for, mends what it can, and reports the rest.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgjobq_core::__private::QueueStanding;
use pgjobq_core::DatabaseError;

use crate::pause::jittered;
use crate::runtime::Runtime;
use crate::setup::chain;

/// How often the worker looks, in heartbeats.
const LOOK_EVERY: u32 = 6;

/// What the looks at the database have found.
#[derive(Debug, Default)]
pub(crate) struct Drift(Mutex<Found>);

#[derive(Debug, Default)]
struct Found {
    /// What the last look could not mend.
    problems: Vec<String>,
    /// The queues that somebody has deleted. Their rows go later, and are not recreated.
    deleted: HashSet<String>,
    /// How many tickets had been drawn at the last look.
    drawn: i64,
}

impl Drift {
    pub(crate) fn problems(&self) -> Vec<String> {
        self.lock().problems.clone()
    }

    /// Replaces the problems, and logs those that are new.
    fn replace(&self, problems: Vec<String>) {
        let known = &mut self.lock().problems;
        problems
            .iter()
            .filter(|problem| !known.contains(problem))
            .for_each(|problem| tracing::warn!("{problem}"));
        *known = problems;
    }

    /// Takes note of whether a queue is deleted, and returns that.
    fn is_deleted(&self, queue: &QueueStanding) -> bool {
        let deleted = &mut self.lock().deleted;
        match queue.id {
            Some(_) if queue.deleted => deleted.insert(queue.name.clone()),
            Some(_) => deleted.remove(&queue.name),
            None => false,
        };
        deleted.contains(&queue.name)
    }

    /// Returns whether fewer tickets have been drawn than at the last look.
    fn is_set_back(&self, drawn: i64) -> bool {
        std::mem::replace(&mut self.lock().drawn, drawn) > drawn
    }

    fn lock(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks until the worker ends.
pub(crate) async fn look_for_ever(runtime: Arc<Runtime>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(jittered(runtime.config.heartbeat * LOOK_EVERY)) => {}
            () = runtime.events.look.notified() => {}
        }
        match look(&runtime).await {
            Ok(problems) => runtime.drift.replace(problems),
            Err(error) if !error.is_transient() => {
                runtime.drift.replace(vec![format!("the worker's queues cannot be read: {}", chain(&error))]);
            }
            Err(error) => tracing::debug!(error = chain(&error), "a look at the queues failed; trying again"),
        }
    }
}

/// Mends the queues of this worker. Returns what it cannot mend.
async fn look(runtime: &Runtime) -> Result<Vec<String>, DatabaseError> {
    let mut problems = Vec::new();
    let names: Vec<&str> = runtime.queues.iter().map(|queue| &*queue.name).collect();
    let shards = runtime.store.shards().len();
    let standing = runtime.store.check_queues(&names).await?;
    if standing.first().is_some_and(|queue| runtime.drift.is_set_back(queue.drawn)) {
        runtime.store.repair_tickets().await?;
    }
    for queue in standing {
        if usize::try_from(queue.shards) != Ok(shards) {
            let now = queue.shards;
            return Ok(vec![format!(
                "the schema has {now} shards and had {shards} when this worker was built: restart the worker"
            )]);
        }
        if runtime.drift.is_deleted(&queue) {
            let name = &queue.name;
            problems.push(format!(
                "the queue `{name}` was deleted while this worker serves it: save it again, or restart the worker"
            ));
        } else {
            mend(runtime, queue).await?;
        }
    }
    let ids: Vec<i32> = runtime.queues.iter().map(|queue| queue.id()).collect();
    for (id, kind) in runtime.store.unknown_kinds(&ids, &runtime.kinds.all).await? {
        let name = runtime.queues.iter().find(|queue| queue.id() == id).map_or("?", |queue| &queue.name);
        problems.push(format!(
            "jobs of the kind `{kind}` wait in the queue `{name}`, and this program has no job function of that kind: \
             run a worker that has it, or cancel them"
        ));
    }
    Ok(problems)
}

/// Recreates a queue, or its lanes, and follows one that was recreated under another id.
async fn mend(runtime: &Runtime, queue: QueueStanding) -> Result<(), DatabaseError> {
    let Some(slots) = runtime.queues.iter().find(|slots| *slots.name == queue.name) else { return Ok(()) };
    let id = match queue.id {
        Some(id) if !queue.incomplete => id,
        _ => {
            runtime.client.record(&runtime.registry).await?;
            let id = runtime.client.save_queue(&queue.name).await?;
            tracing::warn!(queue = queue.name, id, "the queue, or a lane of it, was gone; it is recreated");
            runtime.arrivals.note(&[id]);
            id
        }
    };
    if id != slots.id() {
        tracing::warn!(queue = queue.name, id, "the queue has another id; the worker serves it under that");
        slots.set_id(id);
        runtime.arrivals.note(&[id]);
    }
    runtime.events.claim.notify_one();
    Ok(())
}
