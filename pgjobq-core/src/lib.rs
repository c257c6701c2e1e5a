//! What a process needs to describe, enqueue, store and await jobs. Users depend on the `pgjobq` crate, which shows the
//! public part of this one.

mod backoff;
mod context;
mod descriptor;
#[cfg(feature = "dev")]
pub mod dev;
mod handler;
mod id;
mod job_error;
mod new_job;
mod policy;
mod priority;
mod registry;
mod returned;
mod state;

pub use backoff::Backoff;
pub use context::JobContext;
pub use handler::Handler;
pub use id::JobId;
pub use job_error::JobError;
pub use new_job::NewJob;
pub use policy::Policy;
pub use priority::Priority;
pub use returned::JobReturn;
pub use state::State;

mod stub;
pub use stub::*;

/// What the macro's output and the worker name. Not public API.
#[doc(hidden)]
pub mod __private {
    pub use crate::context::Attempt;
    pub use crate::descriptor::JobDescriptor;
    pub use crate::job_error::ErrorKind;
    pub use crate::registry::{DuplicateKind, Registry};
    pub use crate::returned::{JobReturn, Unkept, encode_output};
    pub use crate::state::{StateType, States};
    pub use crate::{Backoff, Client, CallError, EnqueueError, Handler, JobContext, JobError, JobHandle, JobId, NewJob, Policy, Priority, State, Target};
    pub use {async_trait::async_trait, inventory, serde, serde_json};
}
