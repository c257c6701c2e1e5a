//! Records ended attempts. Batches form by themselves: the next one is sent when the last one has returned, so that an idle
//! worker answers in one round trip and a busy one fills its batches. Two finishers do so side by side, because while one waits
//! for its answer the other can fill the next batch; all results of a lease go through the same one, so that they never
//! meet over its row.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pgjobq_core::__private::{Decision, Ended, Finished, LeaseKey, LeaseUse};
use pgjobq_core::{JobId, StoreError};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::leases::Lease;
use crate::pause::Pause;
use crate::runtime::Runtime;
use crate::setup::chain;

/// How many finishers a worker has.
pub(crate) const FINISHERS: usize = 2;

/// What a finisher has to record.
pub(crate) type Inbox = mpsc::UnboundedReceiver<Result>;

/// How many results go into one statement.
const BATCH: usize = 500;

/// An ended attempt that has not been recorded.
#[derive(Debug)]
pub(crate) struct Result {
    pub(crate) lease: Arc<Lease>,
    pub(crate) id: JobId,
    pub(crate) ticket: i64,
    pub(crate) decision: Decision,
}

impl Runtime {
    /// Hands a result to its lease's finisher.
    pub(crate) fn send(&self, result: Result) {
        self.unrecorded.fetch_add(1, Ordering::AcqRel);
        let finisher = result.lease.key.id.unsigned_abs() as usize % FINISHERS;
        if self.results[finisher].send(result).is_err() {
            tracing::debug!("a result came after the end; its job runs again");
        }
    }
}

/// Records results until the worker ends.
pub(crate) async fn record_for_ever(runtime: Arc<Runtime>, mut results: Inbox) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            _ = results.recv_many(&mut batch, BATCH) => {}
            () = runtime.stages.end.cancelled() => break,
        }
        record(&runtime, &mut batch).await;
    }
}

/// Records one batch, each shard and each identity of this worker for itself.
async fn record(runtime: &Arc<Runtime>, results: &mut Vec<Result>) {
    let mut parts: HashMap<(i16, i64), Vec<Result>> = HashMap::new();
    for result in results.drain(..) {
        parts.entry((result.lease.key.lane.shard, result.lease.worker)).or_default().push(result);
    }
    for ((shard, worker), results) in parts {
        let count = results.len();
        match Part::new(shard, worker, results).record(runtime).await {
            Ok(()) => _ = runtime.unrecorded.fetch_sub(count, Ordering::AcqRel),
            Err(error) => tracing::warn!(error = chain(&error), count, "results were not recorded in time"),
        }
    }
    runtime.events.claim.notify_one();
}

/// What goes into one statement.
struct Part {
    shard: i16,
    worker: i64,
    leases: Vec<LeaseUse>,
    ended: Vec<Ended>,
}

impl Part {
    fn new(shard: i16, worker: i64, results: Vec<Result>) -> Self {
        let mut by_lease: HashMap<LeaseKey, (Arc<Lease>, Vec<Result>)> = HashMap::new();
        for result in results {
            by_lease
                .entry(result.lease.key)
                .or_insert_with(|| (Arc::clone(&result.lease), Vec::new()))
                .1
                .push(result);
        }
        // In the order of their keys: the order in which every transaction locks leases.
        let mut by_lease: Vec<_> = by_lease.into_iter().collect();
        by_lease.sort_unstable_by_key(|(key, _)| *key);
        let (mut leases, mut ended) = (Vec::with_capacity(by_lease.len()), Vec::new());
        for (place, (key, (lease, results))) in by_lease.into_iter().enumerate() {
            leases.push(LeaseUse { key, close: lease.settle(results.len()) });
            let unsaid = results.into_iter().filter(|result| !matches!(result.decision, Decision::Settled));
            let end = |r: Result| Ended { lease: place, id: r.id, ticket: r.ticket, decision: r.decision };
            ended.extend(unsaid.map(end));
        }
        ended.sort_unstable_by_key(|end| end.id); // The order in which jobs are locked.
        Self { shard, worker, leases, ended }
    }

    /// Records it. An error means that the worker's end came first.
    async fn record(mut self, runtime: &Arc<Runtime>) -> std::result::Result<(), StoreError> {
        if self.ended.is_empty() && !self.leases.iter().any(|lease| lease.close) {
            return Ok(());
        }
        match self.send(runtime, &self.ended).await {
            Ok(finished) => self.recorded(runtime, finished),
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => {
                tracing::error!(
                    error = chain(&error),
                    jobs = self.ended.len(),
                    "a batch of results was refused; trying each"
                );
                self.record_each(runtime).await?;
            }
        }
        for lease in self.leases.iter().filter(|lease| lease.close) {
            runtime.leases.forget(lease.key);
        }
        Ok(())
    }

    /// Sends until it is answered, or the worker ends: what passes is waited for. A replay of what was recorded changes
    /// nothing.
    async fn send(&self, runtime: &Runtime, ended: &[Ended]) -> std::result::Result<Finished, StoreError> {
        let mut pause = Pause::new();
        loop {
            let finish =
                runtime.store.finish(self.shard, self.worker, &runtime.config.name, &self.leases, ended);
            let answered = tokio::select! {
                biased;
                answered = finish => answered,
                () = runtime.stages.end.cancelled() => Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut)),
            };
            match answered {
                Err(error) if error.is_transient() && !runtime.stages.end.is_cancelled() => {
                    tracing::debug!(error = chain(&error), "results were not recorded; trying again");
                    tokio::time::sleep(pause.after_error()).await;
                }
                answered => return answered,
            }
        }
    }

    fn recorded(&self, runtime: &Arc<Runtime>, finished: Finished) {
        if !finished.stale.is_empty() {
            tracing::warn!(
                jobs = finished.stale.len(),
                "results came after their lease was lost, and changed nothing"
            );
        }
        let retried = self.ended.iter().filter_map(|end| match end.decision {
            Decision::Retry { delay, .. } | Decision::Snooze { delay } => Some(delay),
            _ => None,
        });
        if retried.min().is_some_and(|soonest: Duration| soonest < runtime.config.poll_interval) {
            runtime.events.promote.notify_one();
        }
        let accepted = |end: &&Ended| !finished.stale.contains(&end.id);
        let dead =
            self.ended.iter().filter(|end| matches!(end.decision, Decision::Bury { .. })).filter(accepted);
        runtime.alert(self.shard, dead.map(|end| end.id.as_uuid()).collect());
        if finished.waited {
            let over = self
                .ended
                .iter()
                .filter(|end| end.decision.is_terminal() && accepted(end))
                .map(|end| end.id)
                .chain(finished.cancelled.iter().copied());
            runtime.notifier.ended(&over.map(|id| id.as_uuid()).collect::<Vec<Uuid>>());
        }
    }

    /// One bad row must not wedge the rest: each is sent alone, and one that is refused alone is buried with the reason.
    async fn record_each(&mut self, runtime: &Arc<Runtime>) -> std::result::Result<(), StoreError> {
        let closing = std::mem::take(&mut self.leases);
        for end in std::mem::take(&mut self.ended) {
            self.leases = closing.iter().map(|lease| LeaseUse { close: false, ..*lease }).collect();
            let mut one = [end];
            if let Err(error) = self.send(runtime, &one).await {
                if error.is_transient() {
                    return Err(error);
                }
                let message =
                    crate::decide::text(&format!("its result could not be recorded: {}", chain(&error)));
                one[0].decision = Decision::Bury { reason: "fatal", message };
                if let Err(error) = self.send(runtime, &one).await {
                    tracing::error!(job.id = %one[0].id, error = chain(&error), "a result cannot be recorded; the job runs again");
                }
            }
        }
        self.leases = closing;
        if let Err(error) = self.send(runtime, &[]).await {
            tracing::error!(
                error = chain(&error),
                "leases could not be closed; the next heartbeat gives them back"
            );
        }
        Ok(())
    }
}
