//! The record of what a person asks for, where the change itself keeps none.

use pgjobq::Audit;

use crate::confirm::Asked;
use crate::failure::Failure;
use crate::session::Session;

impl Session {
    /// Records who asks for a change and why, makes the change, and records its outcome. So no change is missing in the record, also if
    /// the command is killed in between. The words for the action and its subject are those of the dashboard.
    pub(crate) async fn recorded<T>(
        &self,
        action: &str,
        subject: String,
        asked: &Asked,
        change: impl Future<Output = Result<(T, String), Failure>>,
    ) -> Result<T, Failure> {
        let noted = with(self.client.audit(action, subject), asked).note().await?;
        let changed = change.await;
        let outcome = match &changed {
            Ok((_, outcome)) => outcome.clone(),
            Err(failure) => format!("failed: {failure}"),
        };
        if let Err(error) = noted.end(&outcome).await {
            self.out.note(&format!("the outcome is missing in `pgjobq audit`: {error}"));
        }
        changed.map(|(made, _)| made)
    }
}

fn with<'c>(mut audit: Audit<'c>, asked: &Asked) -> Audit<'c> {
    if let Some(by) = &asked.by {
        audit = audit.by(by);
    }
    if let Some(because) = &asked.because {
        audit = audit.because(because);
    }
    audit
}
