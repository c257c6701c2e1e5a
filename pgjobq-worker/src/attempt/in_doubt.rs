//! Resolves in-doubt commits: a job may have completed in a transaction of its own whose commit was not acknowledged.

use std::sync::Arc;

use pgjobq_core::JobError;
use pgjobq_core::worker_api::{Decision, chain};

use super::decide::End;
use crate::pause::Pause;
use crate::record::batch::Batch;
use crate::record::unrecorded::Unrecorded;
use crate::runtime::Runtime;

/// The resolution of an in-doubt commit.
#[derive(Debug)]
pub(crate) enum Resolved {
    /// The transaction has committed, or another worker has the job.
    Completed,
    /// The transaction has not committed, and this decision is recorded.
    Recorded(Decision),
    /// The worker ended before the commit was resolved.
    Unknown,
}

/// Returns how an attempt ended if its transaction has not committed: then it failed, because its writes are lost.
pub(crate) fn unless_committed(end: End) -> End {
    match end {
        End::Returned(Ok(_)) => {
            End::Returned(Err(JobError::from("it completed in a transaction that was not committed")))
        }
        end => end,
    }
}

/// Resolves an in-doubt commit by recording the decision for the case that it failed. If the job's row is gone, the transaction
/// has committed, or the lease was lost.
///
/// The result goes alone and not to a finisher, because its statement waits for the transaction if that is still open.
pub(crate) async fn resolve(runtime: &Arc<Runtime>, result: Unrecorded) -> Resolved {
    let result = Unrecorded { in_doubt: true, ..result };
    runtime.recorders.expect(&result);
    let id = result.job();
    let resolved = runtime.stages.end.run_until_cancelled(record(runtime, result)).await;
    resolved.unwrap_or_else(|| {
        tracing::warn!(job.id = %id, "the worker ended before it was known whether a transaction of a job had committed");
        Resolved::Unknown
    })
}

async fn record(runtime: &Arc<Runtime>, result: Unrecorded) -> Resolved {
    let id = result.job();
    let mut batch = Batch::new(vec![result]);
    let mut pause = Pause::new();
    let finished = loop {
        let recorded = {
            let _turn = runtime.in_doubt_lookups.acquire().await;
            batch.record(runtime).await
        };
        match recorded {
            Ok(finished) => break finished,
            Err(error) if batch.amend(runtime, &error) => {}
            Err(error) => {
                tracing::debug!(job.id = %id, error = chain(&error), "how a job ended was not recorded; trying again");
                tokio::time::sleep(pause.after_error()).await;
            }
        }
    };
    match batch.results.pop() {
        Some(result) if finished.stale.is_empty() => Resolved::Recorded(result.ended.decision),
        _ => Resolved::Completed,
    }
}
