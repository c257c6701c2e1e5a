//! A job that completes itself in a transaction of its own. The worker knows that it has, or has to find out.

use std::sync::Arc;

use pgjobq_core::__private::Decision;
use pgjobq_core::JobError;

use crate::decide::End;
use crate::pause::Pause;
use crate::record::{Batch, Unrecorded};
use crate::runtime::Runtime;
use crate::setup::chain;

/// What the end of an attempt means whose transaction is not known to have committed: if it has, nothing; else it has failed,
/// for what it wrote is lost.
pub(crate) fn unless_committed(end: End) -> End {
    match end {
        End::Returned(Ok(_)) => {
            End::Returned(Err(JobError::from("it completed in a transaction that was not committed")))
        }
        end => end,
    }
}

/// Resolves an in-doubt commit by recording the failure. If the job's row is gone, the transaction has committed (or the lease was
/// lost): returns `None`. Else returns the decision that was recorded.
///
/// The result goes alone, and not to a finisher, because its statement waits for the transaction if that is still open.
pub(crate) async fn find_out(runtime: &Arc<Runtime>, result: Unrecorded) -> Option<Decision> {
    runtime.awaits_recording(&result);
    let id = result.ended.id;
    let mut batch = Batch::new(vec![result]);
    let mut pause = Pause::new();
    let finished = loop {
        match batch.record(runtime).await {
            Ok(finished) => break finished,
            Err(error) if batch.amend(runtime, &error) => {}
            Err(error) => {
                tracing::debug!(job.id = %id, error = chain(&error), "how a job ended was not recorded; trying again");
                tokio::select! {
                    () = runtime.stages.end.cancelled() => return None,
                    () = tokio::time::sleep(pause.after_error()) => {}
                }
            }
        }
    };
    if !finished.stale.is_empty() {
        if finished.waited {
            runtime.tell_ended(&[id.as_uuid()]);
        }
        return None;
    }
    batch.results.pop().map(|result| result.ended.decision)
}
