//! Results that are recorded together, and what is changed after the database has refused them.

use std::collections::BTreeMap;
use std::sync::Arc;

use pgjobq_core::worker_api::{Decision, Finished, LeaseUse, chain, storable, to_ascii};
use pgjobq_core::{DatabaseError, FailureReason};

use super::finish::finish;
use super::observe::observe;
use super::unrecorded::Unrecorded;
use crate::attempt::decide::MESSAGE_BYTES;
use crate::leases::Lease;
use crate::runtime::Runtime;

/// Results of one shard and of one id of this worker.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) results: Vec<Unrecorded>,
}

impl Batch {
    pub(crate) fn new(mut results: Vec<Unrecorded>) -> Self {
        results.sort_unstable_by_key(|result| result.job()); // The order in which jobs are locked.
        Self { results }
    }

    /// Sends the results once, and closes each lease whose last results they are. After an error, their leases stay open and the
    /// results count as not recorded.
    pub(crate) async fn record(&mut self, runtime: &Arc<Runtime>) -> Result<Finished, DatabaseError> {
        let leases = self.leases();
        let close = |(lease, count): &(Arc<Lease>, usize)| LeaseUse {
            key: lease.key,
            close: lease.begin_recording(*count),
        };
        let uses: Vec<_> = leases.iter().map(close).collect();
        let finished = match finish(runtime, &uses, &self.results).await {
            Ok(finished) => finished,
            Err(error) => {
                leases.iter().for_each(|(lease, _)| lease.fail_recording());
                let half = (self.results.len() / 2).max(1);
                self.results.iter_mut().for_each(|result| result.most = half);
                return Err(error);
            }
        };
        observe(runtime, &mut self.results, &finished);
        for (lease, count) in leases {
            // If another session had locked the lease, it still exists, empty: a heartbeat returns it.
            if lease.recorded(count) {
                runtime.leases.forget(lease.key);
            }
        }
        runtime.recorders.recorded(&self.results);
        runtime.events.claim.notify_one(); // Fewer results wait, for which the claim loop or the shutdown may wait.
        self.results.iter_mut().for_each(|result| drop(result.quarantined.take()));
        Ok(finished)
    }

    /// Changes the results so that they can be sent again, if the error names something that can be changed. Returns false if
    /// it does not.
    pub(crate) fn amend(&mut self, runtime: &Runtime, error: &DatabaseError) -> bool {
        if error.is_untranslatable() && self.escape(runtime) {
            return true;
        }
        match self.results.as_mut_slice() {
            [one] if error.is_about_content() => bury(one, error),
            _ => false,
        }
    }

    /// Escapes the characters that the database's encoding may lack. Returns false if none is left to escape.
    fn escape(&mut self, runtime: &Runtime) -> bool {
        let mut escaped = runtime.name.escape();
        for text in self.results.iter_mut().filter_map(|result| result.ended.decision.text_mut()) {
            if let Some(ascii) = to_ascii(text) {
                *text = storable(&ascii, MESSAGE_BYTES);
                escaped = true;
            }
        }
        escaped
    }

    /// Returns the leases of the results in key order, in which every transaction locks them, each with the number of its
    /// results.
    fn leases(&self) -> Vec<(Arc<Lease>, usize)> {
        let mut leases = BTreeMap::new();
        for result in &self.results {
            leases.entry(result.lease.key).or_insert_with(|| (Arc::clone(&result.lease), 0)).1 += 1;
        }
        leases.into_values().collect()
    }
}

/// Replaces a result that the database refuses for its content by the death of its job. Returns false if it is that already.
fn bury(result: &mut Unrecorded, error: &DatabaseError) -> bool {
    if matches!(result.ended.decision, Decision::Bury { .. } | Decision::Settled) {
        return false;
    }
    let message = format!("its result could not be recorded: {}", chain(error));
    tracing::warn!(job.id = %result.job(), error = chain(error), "the database refuses a result; its job is dead");
    let message = storable(&message, MESSAGE_BYTES);
    result.growth = None;
    result.ended.decision = Decision::Bury { reason: FailureReason::Fatal, message };
    true
}
