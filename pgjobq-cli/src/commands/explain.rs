//! `pgjobq explain`

use clap::Args;
use pgjobq::{Cause, JobId};

use crate::explanation::{ExplanationJson, StepJson};
use crate::failure::Failure;
use crate::session::Session;

/// Say why a job is not running, or how it ended
#[derive(Args)]
pub(crate) struct Explain {
    /// The job's id
    id: JobId,
}

impl Explain {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let explanation = session.client.explain(self.id).await?;
        if explanation.reasons.first().is_some_and(|reason| reason.cause == Cause::NotFound) {
            return Err(Failure::NotFound(explanation.to_string()));
        }
        let details = session.client.job(self.id).details().await?;
        let step = details.as_ref().and_then(StepJson::of);
        session.out.print(&ExplanationJson::new(&explanation, step), || {
            let place = step.map(|step| format!("\nIt is step {}.", step.shown()));
            format!("{explanation}{}", place.unwrap_or_default())
        })
    }
}
