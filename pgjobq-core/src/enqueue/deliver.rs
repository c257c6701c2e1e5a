//! Sending jobs through a client: again when an answer was lost, but never a job twice, and all in one limited time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use tokio::time::{sleep, timeout_at};

use crate::db::notifier::Notifier;
use crate::db::query::ANSWER_WITHIN;
use crate::db::shared::Shared;
use crate::enqueue::insert::{Answer, Transaction, insert};
use crate::enqueue::row::Row;
use crate::jitter::jittered;
use crate::{DatabaseError, EnqueueError, JobId};

/// The time that a statement has to be answered when it is sent first. The connection may have fallen silent.
pub(crate) const FIRST_TRY: Duration = Duration::from_secs(10);

/// How long a statement waits for a caller's open transaction that has inserted one of its ids. It is sent again then.
const PATIENCE: Duration = Duration::from_secs(5);

/// The first pause after a failure. It doubles, up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Sends jobs, each statement a commit of its own, and notifies idle workers once they are committed.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    shared: Arc<Shared>,
    notifier: Notifier,
}

/// What is known of a batch that was sent and not answered.
#[derive(Debug, Default)]
struct Tries {
    /// The time of the first statement that may have been committed without an answer.
    lost: Option<Instant>,
    last: Option<DatabaseError>,
}

impl Sender {
    pub(crate) fn new(shared: Arc<Shared>, notifier: Notifier) -> Self {
        Self { shared, notifier }
    }

    /// Sends a batch until it is answered, or the deadline has passed. `lost` is the time at which it was sent before, if
    /// that was not answered. A job that is live after an answer was lost is reported as new: it may have been a duplicate,
    /// but nobody knows any more.
    pub(crate) async fn deliver(
        &self,
        rows: &mut Vec<Arc<Row>>,
        lost: Option<Instant>,
        deadline: Instant,
    ) -> Result<u64, EnqueueError> {
        let mut tries = Tries { lost, last: None };
        let answered = timeout_at(deadline.into(), self.deliver_patiently(rows, &mut tries)).await;
        answered.unwrap_or_else(|_| match tries {
            // Nothing was left unanswered: then the last error is the reason.
            Tries { lost: None, last: Some(error) } => Err(error.into()),
            Tries { lost, last } => Err(EnqueueError::TimedOut {
                limit: self.shared.limits.enqueue_timeout,
                maybe_enqueued: lost.is_some(),
                source: last.or_else(|| self.shared.exhausted(self.shared.limits.enqueue_timeout)),
            }),
        })
    }

    async fn deliver_patiently(
        &self,
        rows: &mut Vec<Arc<Row>>,
        tries: &mut Tries,
    ) -> Result<u64, EnqueueError> {
        let count = rows.len() as u64;
        let (mut limit, mut pause) = (FIRST_TRY, FIRST_PAUSE);
        loop {
            match self.ask_again(rows, limit, &mut tries.lost).await {
                Ok(answer) => {
                    answer.check(rows)?;
                    return Ok(if tries.lost.is_some() { count } else { answer.new });
                }
                Err(error) if tries.lost.is_none() && self.shared.has_waited(&error) => {
                    return Err(error.into());
                }
                // Sent again unchanged it would take as long again: the caller halves it.
                Err(error) if error.is_statement_timeout() => return Err(error.into()),
                Err(error) if error.is_transient() => tries.last = Some(error),
                Err(error) => return Err(error.into()),
            }
            limit = ANSWER_WITHIN; // A large batch on a slow network needs all the time that is left.
            sleep(jittered(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Sends a batch once, without the jobs that an earlier try has committed.
    async fn ask_again(
        &self,
        rows: &mut Vec<Arc<Row>>,
        limit: Duration,
        lost: &mut Option<Instant>,
    ) -> Result<Answer, DatabaseError> {
        if let Some(since) = *lost {
            // The statement may have committed, and only its answer been lost: so look the ids up, live and finished since.
            // (A job that was enqueued, run, and not kept in the meantime runs twice; delivery is at least once.)
            let ids: Vec<JobId> = rows.iter().map(|row| row.id).collect();
            let known = self.shared.known(&ids, since).await?;
            rows.retain(|row| !known.contains(&row.id));
            if rows.is_empty() {
                return Ok(Answer::default());
            }
        }
        let before = *lost;
        let answer = self.ask(rows, PATIENCE, limit, || {
            lost.get_or_insert_with(Instant::now);
            Ok(())
        });
        let answer = answer.await;
        if !answer.as_ref().is_err_and(DatabaseError::leaves_in_doubt) {
            *lost = before; // The database has answered this one.
        }
        answer
    }

    /// Reports whether every caller is to be told of this error, without another try.
    pub(crate) fn is_for_all(&self, error: &DatabaseError) -> bool {
        matches!(error, DatabaseError::PoolClosed | DatabaseError::TooNew { .. })
            || self.shared.has_waited(error)
    }

    /// Sends a batch once. `sending` is called when a connection is there, and the statement goes out next.
    pub(super) async fn ask(
        &self,
        rows: &[Arc<Row>],
        patience: Duration,
        limit: Duration,
        sending: impl FnOnce() -> Result<(), DatabaseError>,
    ) -> Result<Answer, DatabaseError> {
        let shared = &self.shared;
        let ask = async |connection: &mut PgConnection| {
            sending()?;
            insert(rows, connection, &shared.sql, Transaction::Ours { patience }).await
        };
        let answer = shared.borrow(limit, ask).await?;
        self.notifier.wake(&answer.wake);
        Ok(answer)
    }
}
