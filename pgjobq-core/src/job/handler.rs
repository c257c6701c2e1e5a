//! The object-safe interface of a job function.

use async_trait::async_trait;
use serde_json::value::RawValue;

use crate::{JobContext, JobError};

/// Runs one attempt of a job: decodes the arguments, calls the job function, encodes what it returned.
/// `#[job]` writes the implementation.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Runs one attempt.
    async fn run(&self, context: JobContext, args: &RawValue) -> Result<Box<RawValue>, JobError>;
}
