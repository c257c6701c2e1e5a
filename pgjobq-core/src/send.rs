//! Sending jobs through a client: again when an answer was lost, but never a job twice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::PgConnection;

use crate::batch::{Answer, Batch};
use crate::borrow::ANSWER_WITHIN;
use crate::client::Shared;
use crate::notifier::Notifier;
use crate::{EnqueueError, StoreError};

/// How often a client asks after an enqueue whose answer was lost, and sends it again if it is not there.
const RESENDS: u32 = 6;

/// How long a statement waits for a caller's open transaction that has inserted one of its ids. It is sent again then.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends jobs, each statement a commit of its own, and notifies idle workers once they are committed.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    shared: Arc<Shared>,
    notifier: Notifier,
}

impl Sender {
    pub(crate) fn new(shared: Arc<Shared>, notifier: Notifier) -> Self {
        Self { shared, notifier }
    }

    /// Sends a batch until it is answered, or was tried often enough. `lost` says since when it may have been sent before,
    /// where the answer is not known. What is live after an answer was lost counts as new: it may have been a duplicate, but
    /// nobody knows any more.
    pub(crate) async fn deliver(
        &self,
        batch: &mut Batch,
        mut lost: Option<Instant>,
    ) -> Result<Answer, EnqueueError> {
        let sent = batch.len() as u64;
        let mut resends = 0;
        loop {
            match self.ask(batch, PATIENCE, &mut lost).await {
                Ok(answer) => {
                    batch.check(&answer)?;
                    return Ok(if lost.is_some() {
                        Answer { new: sent, duplicates: Vec::new(), ..answer }
                    } else {
                        answer
                    });
                }
                Err(error) if error.is_transient() && resends < RESENDS => {
                    tokio::time::sleep(Duration::from_millis(50 << resends)).await;
                    resends += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends a batch once; says in `lost` since when it may be committed all the same.
    pub(crate) async fn ask(
        &self,
        batch: &mut Batch,
        patience: Duration,
        lost: &mut Option<Instant>,
    ) -> Result<Answer, StoreError> {
        let shared = &self.shared;
        if let Some(since) = *lost {
            // The statement may have committed, and only its answer been lost: so look the ids up, live and finished since.
            // (What was enqueued, run, and not kept in the meantime runs twice; delivery is at least once.)
            batch.without(&shared.known(&batch.ids(), since).await?);
            if batch.is_empty() {
                return Ok(Answer { committed: true, ..Answer::default() });
            }
        }
        let ask = async |connection: &mut PgConnection| {
            batch.ask(connection, &shared.sql, false, Some(patience)).await
        };
        let sent = Instant::now();
        let answer = shared.borrow(ANSWER_WITHIN, ask).await;
        if let Err(StoreError::Unavailable(_)) = answer {
            lost.get_or_insert(sent);
        }
        let answer = answer?;
        self.notifier.wake(&answer.wake);
        Ok(Answer { committed: true, ..answer })
    }
}
