//! Completing a job in a transaction of its own.

use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::{PgConnection, Row};

use crate::attempt::context::JobContext;
use crate::db::watch::Sender;
use crate::job::json::holds_nul;
use crate::lock::lock;
use crate::{DatabaseError, JobError, Tx};

/// The error of completing a job in a transaction: from [`JobContext::complete_in`].
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum CompleteError {
    /// Another worker may have the job, because this one was silent for too long. Roll the transaction back.
    #[error(
        "the lease of the job is lost: another worker may run it, and this transaction must be rolled back"
    )]
    LeaseLost,
    /// The result could not be written as JSON, or PostgreSQL could not store it.
    #[error("the result of the job could not be stored as JSON: {0}")]
    Result(String),
    /// The context was made for a test.
    #[error("this context was made for a test, and has no job to complete")]
    NoJob,
    /// The attempt has added steps to its workflow.
    #[error(
        "the step has added others to its workflow, so it completes by returning, and not in a transaction"
    )]
    Grows,
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

crate::debug_as_message!(CompleteError);

impl JobContext {
    /// Completes the job inside a transaction of your own, with this result: the completion commits with what else was
    /// written there, or not at all. Commit it, and return `Ok` with the same value.
    ///
    /// A stale attempt is rejected, so that nothing of it can commit. If the transaction is not committed after this, the
    /// attempt has failed, even if the job function returns `Ok`. An argument `tx: &mut Tx` does all of this for you.
    ///
    /// ```
    /// # mod pgjobq { pub use pgjobq_core::*; }
    /// # use sqlx;
    /// use pgjobq::{JobContext, JobError, State};
    ///
    /// async fn charge(ctx: JobContext, invoice: i64, pool: State<sqlx::PgPool>) -> Result<u32, JobError> {
    ///     let mut tx = pool.begin().await?;
    ///     sqlx::query("update invoices set paid = true where id = $1").bind(invoice).execute(&mut *tx).await?;
    ///     ctx.complete_in(&mut tx, &42_u32).await?;
    ///     tx.commit().await?;
    ///     Ok(42)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// If the lease is lost, the result cannot be stored, or the database refuses the statement.
    pub async fn complete_in<T: Serialize + Sync>(
        &self,
        connection: &mut PgConnection,
        value: &T,
    ) -> Result<(), CompleteError> {
        let output =
            crate::job::json::encode_raw(value).map_err(|error| CompleteError::Result(error.to_string()))?;
        self.complete(connection, &output).await
    }

    async fn complete(&self, connection: &mut PgConnection, output: &RawValue) -> Result<(), CompleteError> {
        let held = self.attempt.held.as_ref().ok_or(CompleteError::NoJob)?;
        if self.has_grown() {
            return Err(CompleteError::Grows);
        }
        let is_step = self.attempt.meta.workflow.is_some();
        let stores = held.keep.is_some() || is_step;
        if stores && holds_nul(output.get()) {
            return Err(CompleteError::Result(
                "it holds a NUL character (\\u0000): remove it, or encode the bytes".into(),
            ));
        }
        if stores && output.get().len() > held.max_result {
            let problem = too_large(output.get().len(), held.max_result);
            return Err(CompleteError::Result(format!("it is {problem}")));
        }
        self.attempt.recording.begin();
        let shared = held.client.shared();
        let complete = held.hold.bind(sqlx::query(shared.sql.complete_in.clone()));
        let complete = complete
            .bind(held.keep.map(|keep| i64::try_from(keep.as_micros()).unwrap_or(i64::MAX)))
            .bind(stores.then(|| output.get()));
        let row = shared.sql.row(connection, complete, Sender::IN_TRANSACTION).await;
        let row = row.map_err(|error| shared.error(error))?;
        if !row.try_get::<bool, _>("completed").map_err(DatabaseError::Refused)? {
            return Err(CompleteError::LeaseLost);
        }
        if row.try_get("waited").map_err(DatabaseError::Refused)? {
            self.attempt.recording.note_awaited();
        }
        if is_step || row.try_get("has_edges").map_err(DatabaseError::Refused)? {
            self.attempt.recording.note_children();
        }
        Ok(())
    }

    /// Begins the transaction of a transactional job.
    #[doc(hidden)]
    pub async fn begin(&self) -> Result<Tx, JobError> {
        let held = self.attempt.held.as_ref().ok_or(CompleteError::NoJob)?;
        let parent = (self.id(), self.trace());
        let place = lock(&self.attempt.place).take();
        Ok(Tx::begin_for(&held.client, self.attempt.timeout, Some(parent), place).await?)
    }
}

/// Describes a result that exceeds the limit, and the alternatives.
#[doc(hidden)]
#[must_use]
pub fn too_large(bytes: usize, limit: usize) -> String {
    format!(
        "{bytes} bytes, more than the limit of {limit}: store it elsewhere and return its name, or raise the worker's `max_result`"
    )
}

/// Ends a transactional job: commits its writes together with its completion, or rolls all of it back.
#[doc(hidden)]
pub async fn finish_transactional(
    context: &JobContext,
    mut tx: Tx,
    output: Result<Box<RawValue>, JobError>,
) -> Result<Box<RawValue>, JobError> {
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            if let Err(error) = tx.rollback().await {
                tracing::debug!(%error, "a transaction was not rolled back; its connection ends");
            }
            return Err(error);
        }
    };
    match context.complete(&mut tx, &output).await {
        Ok(()) => {}
        Err(error @ CompleteError::Result(_)) => return Err(JobError::fatal(error)),
        Err(error) => return Err(error.into()),
    }
    tx.commit().await?;
    context.attempt.recording.commit();
    Ok(output)
}
