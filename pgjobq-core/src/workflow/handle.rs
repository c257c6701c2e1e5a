//! The handle of an enqueued workflow.

use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::db::ids::Shard;
use crate::db::literal::Literal;
use crate::wait::lookup::WORKFLOW_KIND;
use crate::wait::waits::Origin;
use crate::workflow::graph::{Graph, Part};
use crate::workflow::status::WorkflowOutcome;
use crate::{DatabaseError, HandleError, JobHandle, Outcome, Step, WaitError, WorkflowId, WorkflowStatus};

/// The number of steps that one statement of [`WorkflowHandle::graph`] returns.
const STEPS_AT_ONCE: i32 = 1000;

/// A handle of an enqueued workflow. Any process can rebuild it from the workflow's id: [`from_id`](Self::from_id).
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client, flow: pgjobq::Workflow, total: pgjobq::Step<u64>) -> Result<(), Box<dyn std::error::Error>> {
/// use pgjobq::WorkflowOutcome;
///
/// let run = flow.enqueue(&client).await?;
/// if run.wait(&client).await? == WorkflowOutcome::Failed {
///     println!("{}", run.graph(&client).await?.expect("it exists").mermaid());
///     run.retry_failed(&client).await?; // After the cause is gone. Completed steps do not run again.
/// }
/// println!("{} words", run.output(&client, &total).await?.into_result()?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct WorkflowHandle {
    id: WorkflowId,
    is_new: bool,
    origin: Origin,
}

impl WorkflowHandle {
    pub(crate) fn enqueued(id: WorkflowId, is_new: bool, committed: bool) -> Self {
        let origin = if committed { Origin::Committed } else { Origin::InTransaction };
        Self { id, is_new, origin }
    }

    /// Returns the handle of the workflow with this id.
    #[must_use]
    pub fn from_id(id: impl Into<WorkflowId>) -> Self {
        Self { id: id.into(), is_new: false, origin: Origin::Rebuilt }
    }

    /// The workflow's id.
    #[must_use]
    pub fn id(&self) -> WorkflowId {
        self.id
    }

    /// Returns whether the enqueue that returned this handle made a new workflow. False if its id was there already, and for a
    /// rebuilt handle.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Waits until the workflow has ended, without a limit, also over lost notifications and restarts of the database. All waits of a
    /// client, for jobs and for workflows, share a statement.
    ///
    /// After two seconds it logs a warning if no worker takes a step that is ready.
    ///
    /// A workflow with a held step does not end before a person resumes or cancels that step.
    ///
    /// # Errors
    ///
    /// [`WaitError::NoWorkflow`] if there is no such workflow, or it is no longer kept. A handle from a transaction waits half a
    /// minute for its commit.
    pub async fn wait(&self, client: &Client) -> Result<WorkflowOutcome, WaitError> {
        let found = client.waits().wait(self.id.as_job(), vec![WORKFLOW_KIND], self.origin, false).await;
        match found.map(|found| found.workflow_outcome()) {
            Ok(Some(outcome)) => Ok(outcome),
            Ok(None) | Err(WaitError::NotFound { .. } | WaitError::OtherKind(_)) => {
                Err(WaitError::NoWorkflow { id: self.id })
            }
            Err(error) => Err(error),
        }
    }

    /// Waits until the workflow has ended, but at most this long.
    ///
    /// # Errors
    ///
    /// [`WaitError::WorkflowTimedOut`] if the time is over, and those of [`wait`](Self::wait).
    pub async fn wait_timeout(&self, client: &Client, most: Duration) -> Result<WorkflowOutcome, WaitError> {
        let began = Instant::now();
        tokio::time::timeout(most, self.wait(client)).await.unwrap_or_else(|_| {
            let trouble = client.waits().trouble_since(began);
            Err(WaitError::WorkflowTimedOut { id: self.id, trouble })
        })
    }

    /// Waits until a step has ended, and returns how. Its output is kept as that of any job: as long as the `retain` of its kind or its
    /// queue says.
    ///
    /// [`Outcome::Cancelled`] has no reason. It is in [`Status::cancelled`](crate::Status::cancelled), from
    /// `step.handle().status(&client)`.
    ///
    /// # Errors
    ///
    /// [`WaitError::ForeignStep`] if the step is of another workflow, and those of [`JobHandle::wait`].
    pub async fn output<T: DeserializeOwned>(
        &self,
        client: &Client,
        step: &Step<T>,
    ) -> Result<Outcome<T>, WaitError> {
        let (workflow, _) = step.at.place();
        if workflow.id != self.id {
            let (step, other) = (step.name().to_owned(), workflow.name.clone());
            return Err(WaitError::ForeignStep { step, other, id: self.id });
        }
        self.job(step).wait(client).await
    }

    /// Returns the job of a step of this workflow.
    fn job<T>(&self, step: &Step<T>) -> JobHandle<T> {
        let added = step.at.added();
        JobHandle::of_step(step.id(), added.kind, added.unkept, self.origin)
    }

    /// Returns the workflow's status, or `None` if there is no such workflow, or it is no longer kept.
    ///
    /// # Errors
    ///
    /// [`HandleError::Database`], if the database cannot be reached or refuses.
    pub async fn status(&self, client: &Client) -> Result<Option<WorkflowStatus>, HandleError> {
        let (shared, shard) = (client.shared(), self.shard(client).await?);
        let rows = shared.read(&shared.sql.workflow_status, &[&shard, &self.id.as_uuid()]).await?;
        let status = rows.first().map(|row| WorkflowStatus::read(self.id, row)).transpose();
        Ok(status.map_err(DatabaseError::Refused)?)
    }

    /// Returns the workflow's graph with the states of its steps, or `None` if there is no such workflow, or it is no longer kept.
    ///
    /// # Errors
    ///
    /// [`HandleError::Database`], if the database cannot be reached or refuses.
    pub async fn graph(&self, client: &Client) -> Result<Option<Graph>, HandleError> {
        let Some(WorkflowStatus { name, .. }) = self.status(client).await? else { return Ok(None) };
        let (shared, shard) = (client.shared(), self.shard(client).await?);
        let (mut graph, mut last) = (Graph::new(name), 0_i32);
        loop {
            let next: [&dyn Literal; 4] = [&shard, &self.id.as_uuid(), &last, &STEPS_AT_ONCE];
            let rows = shared.read(&shared.sql.workflow_steps, &next).await?;
            for row in &rows {
                let part = Part::read(row).map_err(DatabaseError::Refused)?;
                last = part.node.n as i32;
                graph.add(part);
            }
            if rows.len() < STEPS_AT_ONCE as usize {
                return Ok(Some(graph));
            }
        }
    }

    /// Returns the shard of the workflow and of all its steps.
    pub(crate) async fn shard(&self, client: &Client) -> Result<Shard, DatabaseError> {
        Ok(self.id.as_job().shard(client.about().await?.shards))
    }
}
