//! Cancelling a workflow.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use sqlx::Row;

use crate::admin::asked::Asked;
use crate::client::Client;
use crate::db::literal::Literal;
use crate::{DatabaseError, HandleError, WorkflowHandle, WorkflowId};

/// A request to cancel a workflow, from [`WorkflowHandle::cancel`]: add who asks and why, and await it. It returns false if the
/// workflow does not run, and fails with [`HandleError::Database`].
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client, run: pgjobq::WorkflowHandle) -> Result<(), pgjobq::HandleError> {
/// if !run.cancel(&client).by("ada").because("the order was returned").await? {
///     println!("it has ended already");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "await it"]
pub struct CancelWorkflow<'c> {
    client: &'c Client,
    workflow: WorkflowId,
    asked: Asked,
}

impl WorkflowHandle {
    /// Cancels the workflow: steps that have not started end, and running ones are asked to stop. Steps for the end of the workflow
    /// run all the same. Await the returned request.
    ///
    /// The request is stored, and workers act on it. In SQL, also inside a transaction, it is
    /// `select pgjobq.cancel_workflow('<id>', 'why', by => 'who')`.
    pub fn cancel<'c>(&self, client: &'c Client) -> CancelWorkflow<'c> {
        CancelWorkflow { client, workflow: self.id(), asked: Asked::default() }
    }
}

impl CancelWorkflow<'_> {
    /// Sets who asks. Of a long text the first 1000 characters are kept.
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.asked.set_by(who.into());
        self
    }

    /// Sets the reason, which the failures of the steps name. Of a long text the first 1000 characters are kept.
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.asked.set_reason(reason.into());
        self
    }

    async fn send(mut self) -> Result<bool, HandleError> {
        Ok(match self.write().await {
            Err(error) if error.is_untranslatable() && self.asked.escape() => self.write().await?,
            written => written?,
        })
    }

    async fn write(&self) -> Result<bool, DatabaseError> {
        let shared = self.client.shared();
        let (id, reason, by) = (self.workflow.as_uuid(), self.asked.reason(), self.asked.by());
        let values: [&dyn Literal; 3] = [&id, &reason, &by];
        let row = shared.write(&shared.sql.cancel_workflow, &values).await?;
        row.try_get("requested").map_err(DatabaseError::Refused)
    }
}

impl<'c> IntoFuture for CancelWorkflow<'c> {
    type Output = Result<bool, HandleError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
