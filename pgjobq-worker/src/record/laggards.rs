//! Records laggards: results that the database refused although they were sent alone, because of a trigger, a lock, or a lasting
//! outage. Each stays in memory with its lease open, so that its job does not run again, and is sent again with a growing pause.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::batch::Batch;
use super::recorders::LAGGARDS;
use super::unrecorded::{Inbox, Unrecorded};
use crate::pause::Pause;
use crate::runtime::Runtime;

/// The longest pause after an error.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The longest pause after an error while the worker drains.
const LONGEST_PAUSE_WHILE_DRAINING: Duration = Duration::from_millis(500);

/// Records laggards, until the worker drops this at its end.
pub(crate) async fn record(runtime: Arc<Runtime>, mut inbox: Inbox) {
    let mut waiting = VecDeque::new();
    let mut pause = Pause::up_to(LONGEST_PAUSE);
    let mut due = Instant::now();
    loop {
        let draining = runtime.stages.drain.is_cancelled();
        let next = tokio::select! {
            biased;
            new = inbox.recv() => new, // A new laggard does not wait for the pause of another one.
            () = sleep_until(due), if !waiting.is_empty() => waiting.pop_front(),
            // A finisher has succeeded again, or little time is left.
            () = runtime.recorders.recovered() => {
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
        match record_one(&runtime, result).await {
            Ok(()) => {
                pause.reset();
                due = Instant::now();
                if waiting.is_empty() {
                    runtime.recorders.succeeded(LAGGARDS);
                }
            }
            Err(result) => {
                waiting.push_back(result);
                let most = if draining { LONGEST_PAUSE_WHILE_DRAINING } else { LONGEST_PAUSE };
                due = Instant::now() + pause.after_error().min(most);
            }
        }
    }
}

/// Sends one result, again as often as it can be amended. Returns it if it is refused.
async fn record_one(runtime: &Arc<Runtime>, result: Unrecorded) -> Result<(), Unrecorded> {
    let mut batch = Batch::new(vec![result]);
    while let Err(error) = batch.record(runtime).await {
        if !batch.amend(runtime, &error) {
            runtime.recorders.failed(LAGGARDS, &error);
            return batch.results.pop().map_or(Ok(()), Err);
        }
    }
    Ok(())
}
