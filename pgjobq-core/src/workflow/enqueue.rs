//! Enqueuing a workflow.

use tracing::Instrument as _;

use crate::client::Client;
use crate::enqueue::new::New;
use crate::enqueue::new_row::NewRow;
use crate::trace::producer::Batch;
use crate::workflow::builder::Workflow;
use crate::workflow::draft::Draft;
use crate::workflow::handle::WorkflowHandle;
use crate::workflow::plan::{Plan, PlannedStep};
use crate::{EnqueueError, Target, WorkflowError};

impl Workflow {
    /// Enqueues the workflow, all of it or nothing: to `&client`, `&pool`, `&mut *connection`, or `&mut *transaction`, with which it
    /// commits or vanishes.
    ///
    /// A thousand steps are one statement. If you drop the future of a larger workflow that goes to a transaction of yours, roll that
    /// transaction back: otherwise the steps that were inserted so far would commit, and wait for others that never come. Through a client the call takes at most its
    /// [`enqueue_timeout`](crate::ClientBuilder::enqueue_timeout), in which it sends the workflow again if an answer was lost.
    ///
    /// # Errors
    ///
    /// Mistakes in the workflow or in a step, an unknown queue, a full queue (a workflow does not wait for room), and errors of the database. A workflow whose id is there already is
    /// not an error: the handle reports it.
    pub async fn enqueue(mut self, mut to: impl Target) -> Result<WorkflowHandle, WorkflowError> {
        let mut batch = Batch::begin(only_queue(&self.draft));
        for NewRow { queue, meta, .. } in self.draft.steps.iter_mut().map(|step| &mut step.parts.row) {
            batch.add(queue, meta);
        }
        let plan = Plan::of(self.draft, to.max_args(), to.parent())?;
        let inserted = to.insert(New::Workflow(&plan)).instrument(batch.span()).await;
        batch.of_workflow(plan.id).end(inserted.as_ref().err());
        let inserted = inserted.map_err(|error| named(error, &plan))?;
        Ok(WorkflowHandle::enqueued(plan.id, inserted.is_new, inserted.committed))
    }
}

impl Client {
    /// Enqueues a workflow: another way to write `flow.enqueue(&client)`.
    ///
    /// # Errors
    ///
    /// Those of [`Workflow::enqueue`].
    pub async fn enqueue_workflow(&self, flow: Workflow) -> Result<WorkflowHandle, WorkflowError> {
        flow.enqueue(self).await
    }
}

/// Returns the queue of the steps, if they are all in one.
fn only_queue(draft: &Draft) -> Option<&str> {
    let mut queues = draft.steps.iter().map(|step| &*step.parts.row.queue);
    let first = queues.next()?;
    queues.all(|queue| queue == first).then_some(first)
}

/// Names the step that the database refused.
fn named(error: EnqueueError, plan: &Plan) -> WorkflowError {
    let refused = |step: &&PlannedStep| match &error {
        EnqueueError::UnknownQueue { queue } | EnqueueError::QueueFull { queue, .. } => {
            step.row.queue == *queue
        }
        EnqueueError::UnknownParent { parent, .. } | EnqueueError::ParentOfOtherKind { parent, .. } => {
            step.row.edges.iter().any(|edge| edge.parent.id == *parent)
        }
        _ => false,
    };
    match plan.steps.iter().find(refused) {
        Some(step) => {
            let (workflow, step) = (plan.name.clone(), step.shown_name().to_owned());
            WorkflowError::Step { workflow, step, error: Box::new(error) }
        }
        None => error.into(),
    }
}
