//! Results that were refused when they were sent alone: somebody's trigger or lock, or a lasting outage. Each stays in memory
//! with its lease open, so that its job does not run again, and is sent again with a growing pause until it is recorded.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::pause::Pause;
use crate::record::batch::{Batch, Unrecorded};
use crate::record::finisher::{FINISHERS, Inbox};
use crate::runtime::Runtime;

/// The longest pause after an error.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The same when the worker is about to end.
const LONGEST_PAUSE_AT_THE_END: Duration = Duration::from_millis(500);

/// Records laggards until the worker ends.
pub(crate) async fn record_for_ever(runtime: Arc<Runtime>, inbox: Inbox) {
    let end = runtime.stages.end.clone();
    end.run_until_cancelled(record(runtime, inbox)).await;
}

async fn record(runtime: Arc<Runtime>, mut inbox: Inbox) {
    let mut waiting = VecDeque::new();
    let mut pause = Pause::up_to(LONGEST_PAUSE);
    let mut due = Instant::now();
    loop {
        let draining = runtime.stages.drain.is_cancelled();
        let next = tokio::select! {
            biased;
            new = inbox.recv() => new, // One that has just come waits for no other one's pause.
            () = sleep_until(due), if !waiting.is_empty() => waiting.pop_front(),
            // The database takes results again, or the end is near.
            () = runtime.events.recorded.notified() => {
                pause.reset();
                due = Instant::now();
                continue;
            }
            () = runtime.stages.drain.cancelled(), if !draining => {
                due = Instant::now();
                continue;
            }
        };
        let Some(result) = next else { continue };
        match try_one(&runtime, result).await {
            Ok(()) => {
                pause.reset();
                due = Instant::now();
                if waiting.is_empty() {
                    runtime.recorder_succeeded(FINISHERS);
                }
            }
            Err(result) => {
                waiting.push_back(result);
                let most = if draining { LONGEST_PAUSE_AT_THE_END } else { LONGEST_PAUSE };
                due = Instant::now() + pause.after_error().min(most);
            }
        }
        runtime.events.claim.notify_one();
    }
}

/// Sends one result, and again as far as it can be amended. Gives it back if it is refused.
async fn try_one(runtime: &Arc<Runtime>, result: Unrecorded) -> Result<(), Unrecorded> {
    let mut batch = Batch::new(vec![result]);
    while let Err(error) = batch.record(runtime).await {
        if !batch.amend(runtime, &error) {
            runtime.recorder_failed(FINISHERS, &error);
            return batch.results.pop().map_or(Ok(()), Err);
        }
    }
    Ok(())
}
