//! The types that a job function may return.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::JobError;
use crate::job::json;

/// The types that a job function may return: `Result<T, E>`, where `T` can be stored as JSON and `E` is any error; or
/// nothing. The trait exists for the compiler to check; programs never name it.
#[diagnostic::on_unimplemented(
    message = "a job function cannot return `{Self}`",
    label = "not a job's result",
    note = "return `Result<T, E>`, where `T: Serialize + Deserialize` and `E` is any error type"
)]
pub trait JobReturn {
    /// The result that a handle of the completed job returns.
    type Value: Serialize + DeserializeOwned + Send + 'static;

    /// Returns the value to store, or the error.
    #[doc(hidden)]
    fn into_result(self) -> Result<Self::Value, JobError>;

    /// Returns the value as JSON, or the error.
    #[doc(hidden)]
    fn encode(self) -> Result<Box<RawValue>, JobError>
    where
        Self: Sized,
    {
        encode_output(self.into_result())
    }
}

impl<T: StoredResult, E: Failing> JobReturn for Result<T, E> {
    type Value = T;

    fn into_result(self) -> Result<T, JobError> {
        self.map_err(Into::into)
    }
}

impl JobReturn for () {
    type Value = ();

    fn into_result(self) -> Result<(), JobError> {
        Ok(())
    }
}

/// The `T` of a job function's `Result<T, E>`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored as the result of a job",
    label = "not `Serialize` and `Deserialize`",
    note = "write `#[derive(Serialize, Deserialize)]` on the type and on each type that it holds, or return `Result<()>`"
)]
pub trait StoredResult: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> StoredResult for T {}

/// The `E` of a job function's `Result<T, E>`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no error that a job can return",
    label = "does not turn into `JobError`",
    note = "derive `thiserror::Error` for `{Self}`, or return `pgjobq::Result<T>`, into which any error turns with `?`"
)]
pub trait Failing: Into<JobError> {}

#[diagnostic::do_not_recommend]
impl<E: Into<JobError>> Failing for E {}

/// The result as JSON. A value that cannot be written is a failure that trying again cannot heal.
#[doc(hidden)]
pub fn encode_output<T: Serialize>(result: Result<T, JobError>) -> Result<Box<RawValue>, JobError> {
    json::encode_raw(&result?).map_err(JobError::fatal)
}

/// The result of a job with `retain = "0s"`.
#[diagnostic::on_unimplemented(
    message = "a job with `retain = \"0s\"` keeps nothing, so `{Self}` would be lost",
    label = "keeps no result",
    note = "return `Result<()>`, or keep completed jobs for a while: `retain = \"1h\"`",
    note = "if only steps of a workflow read the value, write `retain = \"1m\"`: the workflow keeps it until the last of them has it"
)]
pub trait Unkept {}

impl Unkept for () {}

/// The result of a job with `batch`.
#[diagnostic::on_unimplemented(
    message = "each job of a batch ends by itself, so the call has no result, and `{Self}` would be lost",
    label = "belongs to no job",
    note = "return `BatchResult`, any `Result<()>`, or nothing"
)]
pub trait NoResult {}

impl NoResult for () {}
