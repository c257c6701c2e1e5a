//! The errors of enqueuing, of retrying and of resuming a workflow.

use crate::{DatabaseError, EnqueueError, WorkflowId};

crate::debug_as_message!(WorkflowError, RetryError, ResumeError);

/// The SQLSTATE of a held step that cannot run.
const CANNOT_RUN: &str = "PJ005";

/// The error of enqueuing a workflow: from [`Workflow::enqueue`](crate::Workflow::enqueue). Nothing of the workflow was enqueued.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum WorkflowError {
    /// The workflow has no step.
    #[error("the workflow `{workflow}` has no step: add one with `flow.add(my_job::step(…))`")]
    Empty {
        /// The workflow's name.
        workflow: String,
    },
    /// The workflow has no step but those for its end.
    #[error(
        "the workflow `{workflow}` has only steps for its end: add the steps whose end they wait for with `flow.add(my_job::step(…))`"
    )]
    OnlyEnd {
        /// The workflow's name.
        workflow: String,
    },
    /// A name is empty, too long, or has a control character.
    #[error(
        "the name of a workflow or a step has 1 to 100 characters and no control characters, and this one is {}",
        described(name)
    )]
    Name {
        /// The name.
        name: String,
    },
    /// Two steps were given one name.
    #[error(
        "two steps of the workflow `{workflow}` are named `{step}`: give one of them another name with `.named(\"…\")`, or none"
    )]
    SameName {
        /// The workflow's name.
        workflow: String,
        /// The name of both steps.
        step: String,
    },
    /// An argument gathers the outputs of no step.
    #[error(
        "the argument `{argument}` of the step `{step}` of the workflow `{workflow}` gathers nothing: give `gather(…)` at least one output, or pass an empty `Vec` in its place"
    )]
    NothingGathered {
        /// The workflow's name.
        workflow: String,
        /// The step's name.
        step: String,
        /// The name of the argument.
        argument: &'static str,
    },
    /// A step depends on a step of another workflow.
    #[error(
        "the step `{step}` of the workflow `{workflow}` depends on the step `{parent}` of another workflow, `{other}`: add both to one workflow, or enqueue `{other}` first and depend on the job of that step, `.handle()` of it"
    )]
    ForeignStep {
        /// The workflow's name.
        workflow: String,
        /// The step's name.
        step: String,
        /// The name of the step on which it depends.
        parent: String,
        /// The name of that step's workflow.
        other: String,
    },
    /// The output of a part is that of a step of another workflow.
    #[error(
        "the workflow `{part}` returns the step `{step}` of another workflow, `{other}`: give `returning` one of its own steps"
    )]
    ForeignOutput {
        /// The name of the part.
        part: String,
        /// The step's name.
        step: String,
        /// The name of the step's workflow.
        other: String,
    },
    /// A step depends on a step of a workflow that was included after it.
    #[error(
        "the step `{step}` of the workflow `{workflow}` depends on the step `{parent}`, which was included after it: call `include` before you add `{step}`"
    )]
    IncludedLater {
        /// The workflow's name.
        workflow: String,
        /// The step's name.
        step: String,
        /// The name of the step on which it depends.
        parent: String,
    },
    /// A workflow that became a part of another one has a deadline, or steps for its end.
    #[error(
        "the workflow `{part}`, which `{workflow}` includes, has a deadline or steps for its end, which only a whole workflow has: give them to `{workflow}`"
    )]
    EndOfPart {
        /// The name of the whole workflow.
        workflow: String,
        /// The name of its part.
        part: String,
    },
    /// A step for the end of the workflow depends on a step, or a step depends on it.
    #[error(
        "the step `{step}` of the workflow `{workflow}` and another step depend on each other, and one of them was given to `on_complete` or `on_failure`, which wait for all other steps: take the `result()` of a step in a step of its own instead"
    )]
    EdgeAtTheEnd {
        /// The workflow's name.
        workflow: String,
        /// The step's name.
        step: String,
    },
    /// A chain of steps is too long.
    #[error(
        "the step `{step}` of the workflow `{workflow}` ends a chain of more than {limit} steps: let one step do the work of several"
    )]
    TooDeep {
        /// The workflow's name.
        workflow: String,
        /// The name of the first step that is too deep.
        step: String,
        /// The largest number of steps in a chain.
        limit: u32,
    },
    /// The deadline is zero.
    #[error(
        "the deadline of the workflow `{workflow}` is zero, so all of it would be cancelled: give it some time, or no deadline"
    )]
    NoTime {
        /// The workflow's name.
        workflow: String,
    },
    /// A deadline of more than a hundred years.
    #[error(
        "the deadline of the workflow `{workflow}` is more than a hundred years away: a unit may be wrong"
    )]
    TooFar {
        /// The workflow's name.
        workflow: String,
    },
    /// An attempt has added too much to its workflow.
    #[error(
        "the steps that it adds to its workflow are {bytes} bytes, more than the limit of {limit}: store their arguments elsewhere, or let the steps add others"
    )]
    GrowthTooLarge {
        /// Their size.
        bytes: usize,
        /// The largest size that is allowed.
        limit: usize,
    },
    /// A step is invalid: its arguments, its queue, or its times.
    #[error("the step `{step}` of the workflow `{workflow}`: {error}")]
    Step {
        /// The workflow's name.
        workflow: String,
        /// The step's name.
        step: String,
        /// The error.
        error: Box<EnqueueError>,
    },
    /// The workflow was not enqueued.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
}

/// The error of retrying a workflow: from [`WorkflowHandle::retry_failed`](crate::WorkflowHandle::retry_failed). Nothing was changed,
/// unless the connection broke.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RetryError {
    /// A step of the workflow is about to end, or its steps for the end run.
    #[error(
        "workflow {id} cannot be retried now, because a step of it is about to end, or its steps for the end run: try again when they have ended"
    )]
    Busy {
        /// The workflow.
        id: WorkflowId,
    },
    /// A queue has no room for the steps that would run again.
    #[error(
        "workflow {id} cannot be retried now, because queue `{queue}`, which is bounded at {bound} jobs, has no room for its steps: try again when others have ended"
    )]
    QueueFull {
        /// The workflow.
        id: WorkflowId,
        /// The queue's name.
        queue: String,
        /// Its bound.
        bound: u32,
    },
    /// The database could not be reached, or refused.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// The error of resuming a held step: from [`WorkflowHandle::resume`](crate::WorkflowHandle::resume) and
/// [`resume_step`](crate::WorkflowHandle::resume_step). Nothing was changed, unless the connection broke.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// The step has no arguments to run with, mostly because it takes the output of a parent that did not complete.
    #[error("{reason}: retry the failed steps of the workflow, or cancel this one")]
    CannotRun {
        /// The step and the reason, as a sentence.
        reason: String,
    },
    /// The database could not be reached, or refused.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl ResumeError {
    pub(crate) fn new(error: DatabaseError) -> Self {
        match &error {
            DatabaseError::Refused(sqlx::Error::Database(refused))
                if refused.code().as_deref() == Some(CANNOT_RUN) =>
            {
                Self::CannotRun { reason: refused.message().to_owned() }
            }
            _ => Self::Database(error),
        }
    }
}

fn described(name: &str) -> String {
    match name.chars().count() {
        0 => "empty".to_owned(),
        length @ 101.. => {
            format!("{length} characters long: {:?}…", name.chars().take(40).collect::<String>())
        }
        _ => format!("{name:?}"),
    }
}
