//! An action on a workflow.

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
    /// Lets a held step run, by its number.
    Resume(u32),
}

impl Act for OnWorkflow {
    fn read(params: &Params) -> Result<Self, Problem> {
        let action: String = params.required("action")?;
        let word = match &*action {
            "cancel" => Word::Cancel,
            "retry_failed" => Word::RetryFailed,
            "resume" => Word::Resume(params.required("step")?),
            word => {
                let known = "write cancel, retry_failed or resume";
                return Err(Problem::Invalid(format!("`{word}` is no action on a workflow: {known}")));
            }
        };
        Ok(Self { id: params.required("id")?, word, reason: params.maybe("reason").map(str::to_owned) })
    }

    fn permission(&self) -> Permission {
        match self.word {
            Word::Cancel => Permission::Cancel,
            Word::RetryFailed | Word::Resume(_) => Permission::Retry,
        }
    }

    fn record(&self) -> Record {
        let subject = match self.word {
            Word::Cancel | Word::RetryFailed => format!("workflow {}", self.id),
            Word::Resume(step) => format!("step {step} of workflow {}", self.id),
        };
        Record { action: self.word.as_str().to_owned(), subject, reason: self.reason.clone() }
    }

    async fn run(self, visit: &Visit) -> Result<Done, Problem> {
        let (client, handle) = (&visit.board().client, WorkflowHandle::from_id(self.id));
        if handle.status(client).await?.is_none() {
            return Err(Problem::NotFound(format!("there is no workflow {}, or none any more", self.id)));
        }
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
            (Word::Resume(step), _) => match handle.resume_step(client, step).await? {
                true => format!("Step {step} runs as soon as it waits for nothing else."),
                false => format!("Step {step} is not held."),
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
            Self::Resume(_) => "resume",
        }
    }
}
