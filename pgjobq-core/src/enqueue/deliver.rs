//! Sends jobs through a client: again if an answer was lost, but never a job twice, and all within one time limit.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use tokio::time::{sleep, timeout_at};
use uuid::Uuid;

use crate::db::ids::QueueId;
use crate::db::listen::SCHEDULED;
use crate::db::shared::Shared;
use crate::db::statement_timeout::STATEMENT_TIMEOUT;
use crate::db::wake_ups::WakeUps;
use crate::enqueue::full::{Full, Room};
use crate::enqueue::insert::{Answer, Transaction, admit, insert};
use crate::enqueue::row::{Row, new_jobs};
use crate::jitter::jittered;
use crate::observe::Event;
use crate::{DatabaseError, EnqueueError, JobId};

/// The timeout of the first try. The connection may have fallen silent.
pub(crate) const FIRST_TRY_TIMEOUT: Duration = Duration::from_secs(10);

/// The time that a statement waits for a caller's open transaction that has inserted one of its ids. Then it is sent
/// again.
pub(crate) const ID_PATIENCE: Duration = Duration::from_secs(5);

/// The same for the jobs of several callers. After it they are sent in smaller groups or alone, so that only the one with that id
/// waits.
pub(super) const GROUP_PATIENCE: Duration = Duration::from_millis(50);

/// The first and the longest pause after a failure; each pause is twice as long as the one before.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(50);
pub(crate) const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Sends jobs, each statement in a transaction of its own, and wakes workers after the commit.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    shared: Arc<Shared>,
    wake_ups: WakeUps,
}

/// The state of jobs that were sent and not answered.
#[derive(Debug, Default)]
struct Tries {
    /// The time of the first statement that may have been committed without an answer.
    lost: Option<Instant>,
    /// The jobs that were certainly enqueued before that.
    older: HashSet<Uuid>,
    last: Option<DatabaseError>,
}

impl Sender {
    pub(crate) fn new(shared: Arc<Shared>, wake_ups: WakeUps) -> Self {
        Self { shared, wake_ups }
    }

    /// Sends jobs until they are answered or the deadline has passed. Returns the queues that had no room for some of them, and
    /// leaves those in `rows`. `lost` is the time at which they were sent before without an answer. A job that is live after a
    /// lost answer counts as new, unless it was certainly enqueued before: it may have been a duplicate, but that is no longer
    /// known.
    pub(crate) async fn deliver(
        &self,
        rows: &mut Vec<Arc<Row>>,
        lost: Option<Instant>,
        deadline: Instant,
        room: Room,
    ) -> Result<Vec<Full>, EnqueueError> {
        let mut tries = Tries { lost, ..Tries::default() };
        let answered = timeout_at(deadline.into(), self.deliver_patiently(rows, room, &mut tries)).await;
        answered.unwrap_or_else(|_| match tries {
            // Every statement was answered, so the last error is the reason.
            Tries { lost: None, last: Some(error), .. } => Err(error.into()),
            Tries { lost, last, .. } => Err(EnqueueError::TimedOut {
                limit: self.shared.limits.enqueue_timeout,
                maybe_enqueued: lost.is_some(),
                last: last
                    .or_else(|| self.shared.exhausted(self.shared.limits.enqueue_timeout))
                    .map(Arc::new),
            }),
        })
    }

    async fn deliver_patiently(
        &self,
        rows: &mut Vec<Arc<Row>>,
        room: Room,
        tries: &mut Tries,
    ) -> Result<Vec<Full>, EnqueueError> {
        let (mut limit, mut pause) = (FIRST_TRY_TIMEOUT, FIRST_PAUSE);
        loop {
            match self.send_unknown(rows, limit, room, tries).await {
                Ok(answer) => {
                    answer.check(rows)?;
                    answer.note_duplicates(rows, |id| tries.lost.is_some() && !tries.older.contains(id));
                    rows.retain(|row| answer.left_out(row.id).is_some());
                    return Ok(answer.full);
                }
                Err(error) if tries.lost.is_none() && self.shared.has_waited(&error) => {
                    return Err(error.into());
                }
                // Sent again unchanged, a batch would take as long again: the caller halves it. A single job may have
                // waited for its id. If an answer was lost, only this loop looks up the committed jobs.
                Err(error) if error.is_statement_timeout() && rows.len() > 1 && tries.lost.is_none() => {
                    return Err(error.into());
                }
                Err(error) if error.is_transient() => tries.last = Some(error),
                Err(error) => return Err(error.into()),
            }
            limit = STATEMENT_TIMEOUT; // A large batch on a slow network needs all the time that is left.
            sleep(jittered(pause)).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    /// Sends the jobs once, without those that an earlier try seems to have committed.
    async fn send_unknown(
        &self,
        rows: &mut Vec<Arc<Row>>,
        limit: Duration,
        room: Room,
        Tries { lost, older, .. }: &mut Tries,
    ) -> Result<Answer, DatabaseError> {
        if let Some(since) = *lost {
            // The statement may have committed and only its answer was lost, so look the ids up, both live and
            // finished since. (A job that was enqueued, run, and not kept in the meantime runs twice; delivery is at
            // least once.)
            let ids: Vec<JobId> = rows.iter().map(|row| row.id).collect();
            let known = self.shared.known(&ids, since).await?;
            let is_older = |(id, older): (&JobId, &bool)| older.then_some(id.as_uuid());
            *older = known.iter().filter_map(is_older).collect();
            rows.retain(|row| known.get(&row.id).is_none_or(|older| *older));
            if rows.is_empty() {
                return Ok(Answer::default());
            }
        }
        let before = *lost;
        let answer = self.ask(rows, ID_PATIENCE, limit, room, || {
            lost.get_or_insert_with(Instant::now);
            Ok(())
        });
        let mut answer = answer.await;
        if !answer.as_ref().is_err_and(DatabaseError::leaves_in_doubt) {
            *lost = before; // The database has answered this one.
        }
        if let Ok(answer) = &mut answer {
            self.settle_held(answer).await;
        }
        answer
    }

    /// Returns whether every caller gets this error, without another try.
    pub(crate) fn is_for_all(&self, error: &DatabaseError) -> bool {
        matches!(error, DatabaseError::PoolClosed | DatabaseError::TooNew { .. })
            || self.shared.has_waited(error)
    }

    /// Sends jobs once, and wakes workers. Calls `sending` when it has a connection, just before the statement. The caller settles
    /// what becomes of unique jobs that have met another one: see [`Self::settle_held`].
    pub(super) async fn ask(
        &self,
        rows: &[Arc<Row>],
        patience: Duration,
        limit: Duration,
        room: Room,
        sending: impl FnOnce() -> Result<(), DatabaseError>,
    ) -> Result<Answer, DatabaseError> {
        let shared = &self.shared;
        let ask = async |connection: &mut PgConnection| {
            sending()?;
            let mut answer =
                insert(rows, connection, &shared.sql, Transaction::Ours { patience, room }).await?;
            if answer.limited {
                answer.admission = admit(rows, connection, &shared.sql).await;
            }
            Ok(answer)
        };
        let answer = shared.with_kept_connection(limit, ask).await?;
        shared.observers().emit_one(|| Event::enqueue(rows.len()));
        self.wake(rows, &answer);
        Ok(answer)
    }

    /// Wakes workers for new jobs and those that were admitted with them, and notifies those who wait for jobs that have ended.
    fn wake(&self, rows: &[Arc<Row>], Answer { new, wake, admission, .. }: &Answer) {
        if *new == 0 {
            return;
        }
        let awaits = admission.awaits.then_some(SCHEDULED);
        let wake: Vec<QueueId> = wake.iter().chain(&admission.wake).copied().chain(awaits).collect();
        self.wake_ups.enqueued(&wake, || new_jobs(rows));
        self.wake_ups.ended(&admission.ended, admission.has_followers);
        self.shared.observe_ended(&admission.ended_before());
        if admission.more {
            self.wake_ups.has_limited();
        }
        if rows.iter().any(|row| !row.edges.is_empty()) {
            self.wake_ups.has_edges();
        }
    }

    /// Settles what becomes of unique jobs that have met another one, now that their enqueue has committed. It takes a few seconds
    /// at most; workers do the rest.
    pub(super) async fn settle_held(&self, answer: &mut Answer) {
        if answer.held.has_requests() {
            let settled = answer.held.settle(&self.shared).await;
            answer.duplicates.retain(|job| !settled.new.contains(job));
            self.wake_ups.settled(&settled.queues);
        }
    }
}
