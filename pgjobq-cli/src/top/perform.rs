//! Carries out a change that was confirmed.

use pgjobq::{CancelOutcome, RequeueOutcome};

use super::model::Act;
use crate::failure::Failure;
use crate::session::Session;

/// Carries out a change, and returns what to say of it.
pub(super) async fn perform(session: &Session, act: &Act) -> String {
    carry_out(session, act).await.unwrap_or_else(|failure| failure.to_string())
}

async fn carry_out(session: &Session, act: &Act) -> Result<String, Failure> {
    let client = &session.client;
    Ok(match act {
        Act::Pause(queue) => {
            client.queue(queue).pause().because("pgjobq top").await?;
            format!("the queue `{queue}` is paused")
        }
        Act::Resume(queue) => {
            client.queue(queue).resume().await?;
            format!("the queue `{queue}` goes on")
        }
        Act::Cancel(job) => match client.job(*job).cancel().because("pgjobq top").await? {
            CancelOutcome::Cancelled => format!("job {job} is cancelled"),
            CancelOutcome::StopRequested => format!("job {job} was asked to stop"),
            CancelOutcome::NotLive => format!("job {job} has ended already"),
        },
        Act::Requeue(job) => match client.job(*job).requeue().await? {
            RequeueOutcome::Requeued => format!("job {job} is in line again"),
            RequeueOutcome::AlreadyLive => format!("job {job} is live already"),
            RequeueOutcome::QueueFull => format!("job {job} was not requeued: its queue is full"),
            RequeueOutcome::NothingToRequeue => {
                format!("job {job} was not requeued: it is a step, or its queue was deleted")
            }
        },
    })
}
