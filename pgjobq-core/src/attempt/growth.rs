//! Growth: a running step adds steps to its own workflow.

use std::sync::Mutex;

use tracing::Span;

use crate::attempt::context::JobContext;
use crate::enqueue::row::MAX_ARGS;
use crate::lock::lock;
use crate::trace::carry;
use crate::workflow::builder::Workflow;
use crate::workflow::draft::Draft;
use crate::workflow::plan::Plan;
use crate::{JobId, NewStep, Step, WorkflowError, WorkflowId};

/// The largest number of steps that one attempt may add.
#[doc(hidden)]
pub const MOST_STEPS: usize = 10_000;
/// The largest size of the steps that one attempt adds.
const MOST_BYTES: usize = 8 << 20;

/// The workflow of a running step, to which the step adds others: from [`JobContext::workflow`].
///
/// The new steps are enqueued in the transaction that records the completion of this attempt. An attempt that fails, crashes or
/// is stale adds none; its retry adds its own. At most 10,000 steps and 8 MiB of arguments can be added by one attempt; with more,
/// the job is dead, and so it is if a new step is invalid.
///
/// A new step may take the outputs of others that this attempt has added, and those of jobs that were enqueued earlier.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// # mod count { pub fn step(_: String) -> pgjobq_core::NewStep<u64> { unimplemented!() } }
/// # mod sum { pub fn step(_: impl pgjobq_core::Input<Vec<u64>>) -> pgjobq_core::NewStep<u64> { unimplemented!() } }
/// use pgjobq::{JobContext, JobError, Step, gather};
///
/// /// Adds a step for each file, and one that combines their results.
/// async fn list(ctx: JobContext, files: Vec<String>) -> Result<(), JobError> {
///     let growth = ctx.workflow()?;
///     let counts: Vec<Step<u64>> = files.into_iter().map(|file| growth.add(count::step(file))).collect();
///     growth.add(sum::step(gather(counts.iter().map(Step::output))));
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Growth<'c> {
    id: WorkflowId,
    kind: &'c str,
    added: &'c Mutex<Option<Draft>>,
}

/// The error of a job that wants to add steps and cannot: from [`JobContext::workflow`].
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum GrowthError {
    /// The job is no step of a workflow.
    #[error("job {0} is no step of a workflow, so it cannot add steps to one")]
    NoStep(JobId),
    /// The job is transactional.
    #[error(
        "the step {0} is transactional, and cannot add steps to its workflow: let a step without `tx` add them"
    )]
    Transactional(JobId),
}

crate::debug_as_message!(GrowthError);

impl JobContext {
    /// Returns the workflow of which this job is a step, to add steps to it.
    ///
    /// # Errors
    ///
    /// If the job is no step of a workflow, or is transactional.
    pub fn workflow(&self) -> Result<Growth<'_>, GrowthError> {
        let id = self.attempt.meta.workflow.ok_or(GrowthError::NoStep(self.id()))?;
        let added = self.attempt.growth.as_ref().ok_or(GrowthError::Transactional(self.id()))?;
        Ok(Growth { id: WorkflowId::from(id.as_uuid()), kind: self.kind(), added })
    }
}

impl Growth<'_> {
    /// The id of the workflow.
    #[must_use]
    pub fn id(&self) -> WorkflowId {
        self.id
    }

    /// Adds a step. It is enqueued when this attempt completes.
    pub fn add<T>(&self, step: NewStep<T>) -> Step<T> {
        let mut added = lock(self.added);
        let mut flow = match added.take() {
            Some(draft) => Workflow { draft },
            None => Workflow::with_id(self.id, self.kind),
        };
        let step = flow.add(step);
        *added = Some(flow.draft);
        step
    }
}

/// The steps that an attempt adds to its workflow.
#[doc(hidden)]
#[derive(Debug)]
pub struct Grown(Draft);

impl JobContext {
    /// Returns whether the attempt has added steps.
    pub(super) fn has_grown(&self) -> bool {
        self.attempt.growth.as_ref().is_some_and(|added| lock(added).is_some())
    }

    /// Takes the steps that the attempt has added, if there are any.
    #[doc(hidden)]
    #[must_use]
    pub fn take_growth(&self) -> Option<Grown> {
        lock(self.attempt.growth.as_ref()?).take().map(Grown)
    }
}

impl Grown {
    /// The workflow.
    #[must_use]
    pub fn workflow(&self) -> WorkflowId {
        self.0.identity.id
    }

    /// The number of steps.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.steps.len()
    }

    /// Checks the steps, for which the workflow has reserved the numbers from `first` on.
    pub fn plan(self, context: &JobContext, first: u32) -> Result<Plan, WorkflowError> {
        let max_args = context.attempt.client().map_or(MAX_ARGS, |client| client.limits().max_args);
        let trace = carry::context_of(&Span::current()).or_else(|| context.trace());
        let plan = Plan::of_growth(self.0, first - 1, max_args, Some((context.id(), trace.as_ref())))?;
        if plan.bytes() > MOST_BYTES {
            return Err(WorkflowError::GrowthTooLarge { bytes: plan.bytes(), limit: MOST_BYTES });
        }
        Ok(plan)
    }
}
