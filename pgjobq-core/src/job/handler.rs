//! The object-safe interface of a job function.

use async_trait::async_trait;
use serde_json::value::RawValue;

use crate::job::shape::ArgumentShape;
use crate::job::stored_args::StoredArgs;
use crate::{JobContext, JobError};

/// Runs one attempt of a job: decodes the arguments, calls the job function, encodes what it returned.
/// `#[job]` writes the implementation.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Runs one attempt. Jobs of a kind with `batch` run in calls instead, of one job if need be.
    async fn run(&self, context: JobContext, args: &RawValue) -> Result<Box<RawValue>, JobError> {
        let _ = (context, args);
        Err(JobError::fatal("its job function takes several jobs in one call"))
    }

    /// Reads arguments, of any version that the job reads, and runs nothing.
    #[doc(hidden)]
    fn check(&self, args: &StoredArgs<'_>) -> Result<(), JobError>;

    /// Returns the shape of the arguments in the current version.
    #[doc(hidden)]
    fn shape(&self) -> Vec<ArgumentShape>;
}
