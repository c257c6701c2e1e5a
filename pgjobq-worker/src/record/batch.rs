//! One statement that records ended attempts, and what follows from its answer. Whatever a worker records goes this way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::__private::{Decision, Ended, Finished, LeaseUse, storable, to_ascii};
use pgjobq_core::{DatabaseError, JobId};
use uuid::Uuid;

use crate::attempt::decide::MESSAGE_BYTES;
use crate::claim::quarantine::QuarantinePlace;
use crate::leases::Lease;
use crate::record::finisher::BATCH_ROWS;
use crate::runtime::Runtime;
use crate::setup::chain;

/// An ended attempt that has not been recorded.
#[derive(Debug)]
pub(crate) struct Unrecorded {
    pub(crate) lease: Arc<Lease>,
    pub(crate) ended: Ended,
    /// How many results its next batch may have: half as many as the last one that failed.
    pub(crate) most: usize,
    /// About how many bytes it had on the wire when the attempt ended.
    pub(crate) bytes: usize,
    /// The place of a quarantined job, free when this is recorded.
    pub(crate) quarantined: Option<QuarantinePlace>,
}

impl Unrecorded {
    pub(crate) fn new(lease: Arc<Lease>, id: JobId, ticket: i64, decision: Decision) -> Self {
        let bytes = decision.bytes();
        let ended = Ended { lease: 0, id, ticket, decision };
        Self { lease, ended, most: BATCH_ROWS, bytes, quarantined: None }
    }
}

/// Results of one shard and of one identity of this worker.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) results: Vec<Unrecorded>,
}

impl Batch {
    pub(crate) fn new(mut results: Vec<Unrecorded>) -> Self {
        results.sort_unstable_by_key(|result| result.ended.id); // The order in which jobs are locked.
        Self { results }
    }

    /// Sends the results, once. A lease is closed with its last one. After an error none of them has been recorded, as far as
    /// is known, and their leases stay open.
    pub(crate) async fn record(&mut self, runtime: &Arc<Runtime>) -> Result<Finished, DatabaseError> {
        let Some(first) = self.results.first() else { return Ok(Finished::default()) };
        let (shard, worker) = (first.lease.key.lane.shard, first.lease.worker);
        let leases = self.leases();
        let uses: Vec<_> = leases
            .iter()
            .map(|(lease, count)| LeaseUse { key: lease.key, close: lease.begin_recording(*count) })
            .collect();
        let settled = |result: &Unrecorded| matches!(result.ended.decision, Decision::Settled);
        let finished = if self.results.iter().all(settled) && !uses.iter().any(|lease| lease.close) {
            Ok(Finished::default())
        } else {
            let name = runtime.storable_name();
            let ended = self.results.iter().map(|result| &result.ended);
            runtime.store.finish(shard, worker, &name, &uses, ended).await
        };
        let finished = match finished {
            Ok(finished) => finished,
            Err(error) => {
                leases.iter().for_each(|(lease, _)| lease.fail_recording());
                let half = (self.results.len() / 2).max(1);
                self.results.iter_mut().for_each(|result| result.most = half);
                return Err(error);
            }
        };
        for (lease, count) in leases {
            // One that somebody else had locked is still there, and empty: a heartbeat returns it.
            if lease.recorded(count) {
                runtime.leases.forget(lease.key);
            }
        }
        // One whose earlier statement failed may have been recorded by it, and the answer was lost.
        let told =
            |result: &&Unrecorded| result.most < BATCH_ROWS || !finished.stale.contains(&result.ended.id);
        follow_up(runtime, shard, self.results.iter().filter(told).map(|result| &result.ended), &finished);
        runtime.recorded(&self.results);
        self.results.iter_mut().for_each(|result| drop(result.quarantined.take()));
        Ok(finished)
    }

    /// Changes what the error says is wrong with the results, so that they can be sent again. False if that is nothing.
    pub(crate) fn amend(&mut self, runtime: &Runtime, error: &DatabaseError) -> bool {
        if error.is_untranslatable() && self.escape(runtime) {
            return true;
        }
        match self.results.as_mut_slice() {
            [one] if error.is_about_content() => bury(one, error),
            _ => false,
        }
    }

    /// Escapes the characters that the database's encoding may lack. False if there are none (any more).
    fn escape(&mut self, runtime: &Runtime) -> bool {
        let mut escaped = runtime.escape_name();
        for text in self.results.iter_mut().filter_map(|result| result.ended.decision.text_mut()) {
            if let Some(ascii) = to_ascii(text) {
                *text = storable(&ascii, MESSAGE_BYTES);
                escaped = true;
            }
        }
        escaped
    }

    /// The leases of the results in the order of their keys, in which every transaction locks them, each with how many of the
    /// results are its own.
    fn leases(&mut self) -> Vec<(Arc<Lease>, usize)> {
        let mut leases = BTreeMap::new();
        for result in &self.results {
            leases.entry(result.lease.key).or_insert_with(|| (Arc::clone(&result.lease), 0)).1 += 1;
        }
        let places: BTreeMap<_, _> = leases.keys().copied().zip(0..).collect();
        for result in &mut self.results {
            result.ended.lease = places[&result.lease.key];
        }
        leases.into_values().collect()
    }
}

/// Turns a result that the database refuses for its content into the death of its job. False if it is that already.
fn bury(result: &mut Unrecorded, error: &DatabaseError) -> bool {
    if matches!(result.ended.decision, Decision::Bury { .. } | Decision::Settled) {
        return false;
    }
    let message = format!("its result could not be recorded: {}", chain(error));
    tracing::warn!(job.id = %result.ended.id, error = chain(error), "the database refuses a result; its job is dead");
    let message = storable(&message, MESSAGE_BYTES);
    result.ended.decision = Decision::Bury { reason: "fatal", message };
    true
}

/// Tells whoever should know of what was recorded: waiters, `on_dead`, and the promoter.
pub(crate) fn follow_up<'e>(
    runtime: &Arc<Runtime>,
    shard: i16,
    recorded: impl Iterator<Item = &'e Ended> + Clone,
    finished: &Finished,
) {
    let again = recorded.clone().filter_map(|end| match end.decision {
        Decision::Retry { delay, .. } | Decision::Snooze { delay } => Some(delay),
        _ => None,
    });
    if again.min().is_some_and(|soonest: Duration| soonest < runtime.config.poll_interval) {
        runtime.events.promote.notify_one();
    }
    let dead = recorded.clone().filter(|end| matches!(end.decision, Decision::Bury { .. }));
    runtime.alert(shard, dead.map(|end| end.id.as_uuid()).collect());
    if finished.waited {
        let over = recorded.filter(|end| end.decision.is_terminal()).map(|end| end.id);
        let over: Vec<Uuid> = over.chain(finished.cancelled.iter().copied()).map(|id| id.as_uuid()).collect();
        runtime.tell_ended(&over);
    }
}
