//! A job that completes itself in a transaction of its own. The worker knows that it has, or has to find out.

use std::sync::Arc;

use pgjobq_core::__private::Decision;
use pgjobq_core::JobError;

use crate::attempt::decide::End;
use crate::pause::Pause;
use crate::record::batch::{Batch, Unrecorded};
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

/// The resolution of an in-doubt commit.
#[derive(Debug)]
pub(crate) enum Found {
    /// The transaction has committed, or others have the job.
    Committed,
    /// It has not, and this decision is recorded.
    Recorded(Decision),
    /// The worker ended before it was known.
    Unknown,
}

/// Resolves an in-doubt commit by recording the failure. If the job's row is gone, the transaction has committed (or the lease was
/// lost).
///
/// The result goes alone, and not to a finisher, because its statement waits for the transaction if that is still open. Only one
/// such statement is sent at a time, because each may wait for long with a connection of the worker's.
pub(crate) async fn find_out(runtime: &Arc<Runtime>, result: Unrecorded) -> Found {
    runtime.awaits_recording(&result);
    let id = result.ended.id;
    let resolved = runtime.stages.end.run_until_cancelled(resolve(runtime, result)).await;
    resolved.unwrap_or_else(|| {
        tracing::warn!(job.id = %id, "the worker ended before it was known whether a transaction of a job had committed");
        Found::Unknown
    })
}

async fn resolve(runtime: &Arc<Runtime>, result: Unrecorded) -> Found {
    let id = result.ended.id;
    let mut batch = Batch::new(vec![result]);
    let mut pause = Pause::new();
    let finished = loop {
        let recorded = {
            let _turn = runtime.settling.acquire().await;
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
    if finished.waited && !finished.stale.is_empty() {
        runtime.tell_ended(&[id.as_uuid()]);
    }
    match batch.results.pop() {
        Some(result) if finished.stale.is_empty() => Found::Recorded(result.ended.decision),
        _ => Found::Committed,
    }
}
