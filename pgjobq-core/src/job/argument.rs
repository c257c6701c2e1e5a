//! The types of a job function's arguments, for the compiler to check.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{JobContext, JobError, State};

/// A stored argument.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored as an argument of a job",
    label = "not `Serialize` and `Deserialize`",
    note = "to store it, write `#[derive(Serialize, Deserialize)]` on the type and on each type that it holds; a type of another crate may have a feature `serde`",
    note = "a pool, a client or a configuration is not stored but handed in: write `State<{Self}>`, and give the worker one with `.state(…)`; the job's own client is `ctx.client()`",
    note = "`State<T>`, `JobContext` and `&mut Tx` are recognized by these names: write them without an alias"
)]
pub trait Argument: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Argument for T {}

/// An argument that the worker passes in.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not pgjobq's",
    label = "named like an argument that the worker hands in",
    note = "write `pgjobq::State<T>` or `pgjobq::JobContext`, or import them from `pgjobq::prelude`"
)]
pub trait HandedIn: Sized {
    /// The argument for an attempt.
    fn of(context: &JobContext) -> Result<Self, JobError>;
}

impl HandedIn for JobContext {
    fn of(context: &JobContext) -> Result<Self, JobError> {
        Ok(context.clone())
    }
}

impl<T: Send + Sync + 'static> HandedIn for State<T> {
    fn of(context: &JobContext) -> Result<Self, JobError> {
        context.state()
    }
}
