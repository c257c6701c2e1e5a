//! Sends a workflow through a client: again if an answer was lost, and all within one time limit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tokio::time::{sleep, timeout_at};

use crate::db::shared::Shared;
use crate::db::statement_timeout::STATEMENT_TIMEOUT;
use crate::db::wake_ups::WakeUps;
use crate::enqueue::deliver::{FIRST_PAUSE, FIRST_TRY_TIMEOUT, ID_PATIENCE, MAX_PAUSE};
use crate::enqueue::full::Room;
use crate::enqueue::insert::Transaction as In;
use crate::enqueue::row::new_jobs;
use crate::jitter::jittered;
use crate::workflow::insert::{Answer, insert, is_one_statement};
use crate::workflow::plan::Plan;
use crate::{DatabaseError, EnqueueError};

/// Sends a workflow until it is answered or the deadline has passed, and wakes workers. Returns whether the workflow is new. One that is
/// there after a lost answer counts as new.
pub(crate) async fn deliver(
    shared: &Shared,
    wake_ups: &WakeUps,
    plan: &Plan,
    deadline: Instant,
) -> Result<bool, EnqueueError> {
    let mut tries = Tries::default();
    let sent = timeout_at(deadline.into(), deliver_patiently(shared, plan, &mut tries)).await;
    let answer = sent.unwrap_or_else(|_| {
        let limit = shared.limits.enqueue_timeout;
        Err(match tries {
            Tries { lost: false, last: Some(error), .. } => error.into(),
            Tries { lost, last, .. } => {
                EnqueueError::TimedOut { limit, maybe_enqueued: lost, last: last.map(Arc::new) }
            }
        })
    })?;
    if answer.is_new || tries.lost {
        wake_ups.enqueued(&answer.wake, || new_jobs(&plan.first_rows()));
        if plan.steps.iter().any(|step| !step.row.edges.is_empty()) {
            wake_ups.has_edges();
        }
    }
    Ok(answer.is_new || tries.lost)
}

/// The state of a workflow that was sent and not answered.
#[derive(Debug, Default)]
struct Tries {
    /// True if a transaction may have been committed without an answer.
    lost: bool,
    last: Option<DatabaseError>,
}

async fn deliver_patiently(shared: &Shared, plan: &Plan, tries: &mut Tries) -> Result<Answer, EnqueueError> {
    let (mut limit, mut pause) = (FIRST_TRY_TIMEOUT, FIRST_PAUSE);
    loop {
        let before = std::mem::replace(&mut tries.lost, true);
        let sent = send(shared, plan, limit).await;
        let error = match sent {
            Ok(answer) => {
                tries.lost = before;
                return Ok(answer);
            }
            Err(EnqueueError::Database(error)) => error,
            Err(refused) => return Err(refused),
        };
        tries.lost = before || error.leaves_in_doubt();
        if !error.is_transient() || (!tries.lost && shared.has_waited(&error)) {
            return Err(error.into());
        }
        tries.last = Some(error);
        limit = STATEMENT_TIMEOUT;
        sleep(jittered(pause)).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// Sends the workflow once.
async fn send(shared: &Shared, plan: &Plan, limit: Duration) -> Result<Answer, EnqueueError> {
    let mut refused = None;
    let sent = shared.with_kept_connection(limit, async |connection| {
        match send_on(shared, plan, connection).await {
            Err(EnqueueError::Database(error)) => Err(error),
            Err(error) => {
                refused = Some(error);
                Ok(Answer::default())
            }
            Ok(answer) => Ok(answer),
        }
    });
    let answer = sent.await?;
    refused.map_or(Ok(answer), Err)
}

async fn send_on(
    shared: &Shared,
    plan: &Plan,
    connection: &mut PgConnection,
) -> Result<Answer, EnqueueError> {
    let ours = In::Ours { patience: ID_PATIENCE, room: Room::ForAll };
    if is_one_statement(plan) {
        return insert(plan, connection, &shared.sql, ours).await;
    }
    let wrong = |error| shared.error(error);
    let mut transaction =
        connection.begin_with("begin isolation level read committed").await.map_err(wrong)?;
    let inserted = insert(plan, &mut transaction, &shared.sql, ours).await;
    match &inserted {
        Ok(_) => transaction.commit().await.map_err(wrong)?,
        // An answer that did not come may still come: the connection is closed.
        Err(EnqueueError::Database(error)) if error.leaves_in_doubt() => {}
        Err(_) => transaction.rollback().await.map_err(wrong)?,
    }
    inserted
}
