//! Records ended attempts. Batches form by themselves: the next one is sent when the last one has returned, so that an idle
//! worker answers in one round trip and a busy one fills its batches. Two finishers do so side by side, because while one waits
//! for its answer the other can fill the next batch. All results of a lease go to the same finisher, so that the two never meet
//! over its row.
//!
//! No batch is sent twice as it was: after an error its results go in batches half as large. A result that is refused alone goes
//! to the laggards, and holds up no other. These, and transactional jobs in doubt, may record results of a lease at the same time
//! as its finisher; if then neither can close the lease, a later heartbeat returns it, empty.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use pgjobq_core::DatabaseError;
use tokio::sync::mpsc;

use crate::pause::Pause;
use crate::record::batch::{Batch, Unrecorded};
use crate::runtime::Runtime;

/// How many finishers a worker has.
pub(crate) const FINISHERS: usize = 2;

/// What a finisher has to record.
pub(crate) type Inbox = mpsc::UnboundedReceiver<Unrecorded>;

/// How many results go into one statement.
pub(crate) const BATCH_ROWS: usize = 500;
/// How many bytes of results go into one statement, unless a single one is larger.
const BATCH_BYTES: usize = 4 << 20;

struct Finisher {
    runtime: Arc<Runtime>,
    /// Its place among the finishers.
    place: usize,
    waiting: VecDeque<Unrecorded>,
    pause: Pause,
}

/// Records results until the worker ends.
pub(crate) async fn record_for_ever(runtime: Arc<Runtime>, place: usize, mut inbox: Inbox) {
    let end = runtime.stages.end.clone();
    let mut finisher = Finisher { runtime, place, waiting: VecDeque::new(), pause: Pause::new() };
    let mut received = Vec::with_capacity(BATCH_ROWS);
    let record = async {
        loop {
            if finisher.waiting.is_empty() {
                inbox.recv_many(&mut received, BATCH_ROWS).await;
            }
            finisher.waiting.extend(received.drain(..));
            while finisher.waiting.len() < BATCH_ROWS
                && let Ok(result) = inbox.try_recv()
            {
                finisher.waiting.push_back(result);
            }
            finisher.round().await;
            finisher.runtime.events.claim.notify_one();
        }
    };
    end.run_until_cancelled(record).await;
}

impl Finisher {
    /// Records what waits, each shard and each identity of this worker for itself. What fails waits on.
    async fn round(&mut self) {
        let mut parts: HashMap<(i16, i64), VecDeque<Unrecorded>> = HashMap::new();
        for result in self.waiting.drain(..) {
            parts.entry((result.lease.key.lane.shard, result.lease.worker)).or_default().push_back(result);
        }
        let mut pauses = false;
        for mut rest in parts.into_values() {
            while !rest.is_empty() {
                let mut batch = Batch::new(cut(&mut rest));
                match batch.record(&self.runtime).await {
                    Ok(finished) => {
                        if !finished.stale.is_empty() {
                            tracing::warn!(
                                jobs = finished.stale.len(),
                                "results came after their lease was lost, and changed nothing"
                            );
                        }
                        self.pause.reset();
                        self.runtime.recorder_succeeded(self.place);
                    }
                    Err(error) => {
                        pauses |= !error.is_about_content();
                        self.refused(batch, &error);
                        self.waiting.append(&mut rest);
                    }
                }
            }
        }
        if pauses {
            tokio::time::sleep(self.pause.after_error()).await;
        }
    }

    fn refused(&mut self, mut batch: Batch, error: &DatabaseError) {
        if !error.is_about_content() {
            self.runtime.recorder_failed(self.place, error);
        }
        let amended = batch.amend(&self.runtime, error);
        if batch.results.len() == 1 && !amended {
            batch.results.into_iter().for_each(|result| self.runtime.lag(result));
        } else {
            self.waiting.extend(batch.results);
        }
    }
}

/// Takes off the next results that may go into one statement: at least one.
fn cut(waiting: &mut VecDeque<Unrecorded>) -> Vec<Unrecorded> {
    let (mut rows, mut bytes) = (BATCH_ROWS, 0);
    let fits = |(place, result): &(usize, &Unrecorded)| {
        rows = rows.min(result.most);
        bytes += result.bytes;
        *place == 0 || (*place < rows && bytes <= BATCH_BYTES)
    };
    let count = waiting.iter().enumerate().take_while(fits).count();
    waiting.drain(..count).collect()
}

#[cfg(test)]
mod tests;
