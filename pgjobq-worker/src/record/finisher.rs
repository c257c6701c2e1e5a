//! Records ended attempts in batches.
//!
//! A batch is sent when the last one has returned. So an idle worker records a result in one round trip, and a busy one fills its
//! batches. Two finishers work side by side: while one waits for its answer, the other can fill the next batch. All results of a
//! lease go to the same finisher, so that the two never compete for its row.
//!
//! No batch is sent twice unchanged: after an error its results go in batches half as large. A result that is refused alone goes
//! to the laggards, so that it delays no other. Laggards and in-doubt commits may record results of a lease at the same time as its
//! finisher. If neither of them can close the lease then, a later heartbeat returns it, empty.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::{Shard, WorkerId};

use super::batch::Batch;
use super::unrecorded::{BATCH_ROWS, Inbox, Unrecorded};
use crate::pause::Pause;
use crate::runtime::Runtime;

/// The largest size of the results in one statement, unless a single one is larger.
const BATCH_BYTES: usize = 4 << 20;

struct Finisher {
    runtime: Arc<Runtime>,
    /// Its place among the recorders.
    place: usize,
    waiting: VecDeque<Unrecorded>,
    pause: Pause,
}

/// Records results, until the worker drops this at its end.
pub(crate) async fn record(runtime: Arc<Runtime>, place: usize, mut inbox: Inbox) {
    let mut finisher = Finisher { runtime, place, waiting: VecDeque::new(), pause: Pause::new() };
    let mut received = Vec::with_capacity(BATCH_ROWS);
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
    }
}

impl Finisher {
    /// Records the waiting results, separately for each shard and each id of this worker. Results that fail wait again.
    async fn round(&mut self) {
        let mut parts: HashMap<(Shard, WorkerId), VecDeque<Unrecorded>> = HashMap::new();
        for result in self.waiting.drain(..) {
            let hold = &result.ended.hold;
            parts.entry((hold.lease.lane.shard, hold.worker)).or_default().push_back(result);
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
                        self.runtime.recorders.succeeded(self.place);
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
            self.runtime.recorders.failed(self.place, error);
        }
        let amended = batch.amend(&self.runtime, error);
        if batch.results.len() == 1 && !amended {
            batch.results.into_iter().for_each(|result| self.runtime.recorders.send_to_laggards(result));
        } else {
            self.waiting.extend(batch.results);
        }
    }
}

/// Takes the next results that fit into one statement: at least one.
fn cut(waiting: &mut VecDeque<Unrecorded>) -> Vec<Unrecorded> {
    let (mut rows, mut bytes) = (BATCH_ROWS, 0);
    let fits = |(place, result): &(usize, &Unrecorded)| {
        rows = rows.min(result.most_beside());
        bytes += result.bytes;
        *place == 0 || (*place < rows && bytes <= BATCH_BYTES)
    };
    let count = waiting.iter().enumerate().take_while(fits).count();
    waiting.drain(..count).collect()
}

#[cfg(test)]
mod tests;
