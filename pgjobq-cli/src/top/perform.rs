//! Carries out a change that was confirmed.

use pgjobq::CancelOutcome;
use pgjobq::filter::id;

use super::model::Act;
use crate::confirm::Asked;
use crate::failure::Failure;
use crate::session::Session;

/// The reason that is stored with each change.
const REASON: &str = "pgjobq top";

/// Carries out a change, and returns what to say of it.
pub(super) async fn perform(session: &Session, act: Act) -> String {
    carry_out(session, act).await.unwrap_or_else(|failure| failure.to_string())
}

async fn carry_out(session: &Session, act: Act) -> Result<String, Failure> {
    let client = &session.client;
    let asked = Asked { by: None, because: Some(REASON.to_owned()) };
    Ok(match act {
        Act::Pause(queue) => {
            let pause = async {
                client.queue(&*queue).pause().because(REASON).await?;
                Ok(said(format!("the queue `{queue}` is paused")))
            };
            session.recorded("pause", format!("queue {queue}"), &asked, pause).await?
        }
        Act::Resume(queue) => {
            let resume = async {
                client.queue(&*queue).resume().await?;
                Ok(said(format!("the queue `{queue}` goes on")))
            };
            session.recorded("resume", format!("queue {queue}"), &asked, resume).await?
        }
        Act::Cancel(job) => match client.job(job).cancel().because(REASON).await? {
            CancelOutcome::Cancelled => format!("job {job} is cancelled"),
            CancelOutcome::StopRequested => format!("job {job} was asked to stop"),
            CancelOutcome::NotLive => format!("job {job} has ended already"),
        },
        Act::Requeue(job) => {
            let report = client.jobs(id(job)).requeue().because(REASON).await?;
            match (report.changed, report.left.first()) {
                (0, None) => format!("job {job} was not requeued: it is not dead any more"),
                (0, Some((left, _))) => format!("job {job} was not requeued ({left})"),
                _ => format!("job {job} is in line again"),
            }
        }
    })
}

/// Returns what to say of a change, which is also the outcome in its record.
fn said(outcome: String) -> (String, String) {
    (outcome.clone(), outcome)
}
