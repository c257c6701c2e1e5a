//! An action on a workflow.

use std::str::FromStr;

use pgjobq::{WorkflowHandle, WorkflowId};

use super::act::{Act, Done, Record};
use crate::params::Params;
use crate::problem::Problem;
use crate::show::link::link;
use crate::user::Permission;
use crate::visit::Visit;

/// An action on a workflow.
pub(crate) struct OnWorkflow {
    id: WorkflowId,
    word: Word,
    reason: Option<String>,
}

#[derive(Clone, Copy)]
enum Word {
    Cancel,
    RetryFailed,
}

impl Act for OnWorkflow {
    fn read(params: &Params) -> Result<Self, Problem> {
        let (id, word) = (params.required("id")?, params.required("action")?);
        Ok(Self { id, word, reason: params.maybe("reason").map(str::to_owned) })
    }

    fn permission(&self) -> Permission {
        match self.word {
            Word::Cancel => Permission::Cancel,
            Word::RetryFailed => Permission::Retry,
        }
    }

    fn record(&self) -> Record {
        let (action, subject) = (self.word.as_str().to_owned(), format!("workflow {}", self.id));
        Record { action, subject, reason: self.reason.clone() }
    }

    async fn run(self, visit: &Visit) -> Result<Done, Problem> {
        let (client, handle) = (&visit.board().client, WorkflowHandle::from_id(self.id));
        let outcome = match (self.word, &self.reason) {
            (Word::Cancel, reason) => {
                let mut cancel = handle.cancel(client).by(visit.name());
                if let Some(reason) = reason {
                    cancel = cancel.because(&**reason);
                }
                match cancel.await? {
                    true => "The workers cancel the rest of the workflow.".to_owned(),
                    false => "The workflow has ended already.".to_owned(),
                }
            }
            (Word::RetryFailed, _) => match handle.retry_failed(client).await? {
                0 => "No step of it can be retried.".to_owned(),
                1 => "1 step is in line again.".to_owned(),
                steps => format!("{steps} steps are in line again."),
            },
        };
        Ok(Done::new(outcome, link("workflow", &[("id", &self.id.to_string())])))
    }
}

impl Word {
    fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::RetryFailed => "retry_failed",
        }
    }
}

impl FromStr for Word {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let known = [Self::Cancel, Self::RetryFailed].into_iter().find(|known| known.as_str() == word);
        known.ok_or_else(|| format!("`{word}` is no action on a workflow: write cancel or retry_failed"))
    }
}
