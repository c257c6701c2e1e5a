//! What a process needs to describe, enqueue, store and await jobs. Users depend on the `pgjobq` crate, which shows the
//! public part of this one.

// Describing a job.
mod backoff;
mod descriptor;
mod handler;
mod id;
mod job_error;
mod name;
mod policy;
mod priority;
mod registry;
mod returned;
mod state;

// Inside a job.
mod complete;
mod context;
mod progress;
mod transactions;
mod tx;

// Enqueuing it.
mod batch;
mod coalesce;
mod enqueue;
mod flight;
mod json;
mod meta;
mod new_job;
mod send;
mod target;

// Awaiting it.
mod handle;
mod lookup;
mod outcome;
mod pace;
mod waits;

// Changing its fate.
mod cancel;
mod ended;
mod requeue;

// The database.
mod about;
mod alone;
mod answers;
mod borrow;
mod client;
mod error;
mod listen;
mod literal;
mod migrate;
mod notifier;
mod open;
mod partitions;
mod pooler;
mod queue;
mod schema;
mod sql;
mod stats;
mod text;

// For the worker.
#[allow(missing_docs)] // Not public API: the fields are named for what they hold.
mod store;

// For newcomers.
#[cfg(feature = "dev")]
pub mod dev;

pub use backoff::Backoff;
pub use cancel::{Cancel, CancelAnswer, Cancellation};
pub use client::{Client, ClientBuilder, ClientError};
pub use complete::CompleteError;
pub use context::JobContext;
pub use ended::{EndedJob, EndedJobs};
pub use enqueue::{AnyJob, EnqueueAllError, Enqueued, enqueue_all};
pub use error::{EnqueueError, StoreError, WaitError};
pub use handle::{CallError, JobHandle};
pub use handler::Handler;
pub use id::JobId;
pub use job_error::JobError;
pub use migrate::{MigrateError, schema_sql};
pub use name::InvalidName;
pub use new_job::NewJob;
pub use outcome::{FailedAttempt, Failure, JobState, Outcome, Progress, Status};
pub use policy::Policy;
pub use priority::Priority;
pub use queue::Queue;
pub use requeue::{Requeue, RequeueError};
pub use returned::JobReturn;
pub use schema::InvalidSchema;
pub use state::State;
pub use stats::QueueStats;
pub use target::{Target, Within};
pub use tx::Tx;

/// What the macro's output and the worker name. Not public API.
#[doc(hidden)]
pub mod __private {
    pub use crate::answers::Answers;
    pub use crate::batch::holds_nul;
    pub use crate::complete::{Recording, finish_transactional, too_large as result_too_large};
    pub use crate::context::{Attempt, Held};
    pub use crate::descriptor::JobDescriptor;
    pub use crate::error::chain;
    pub use crate::job_error::ErrorKind;
    pub use crate::json::{Unstorable, printed_bytes};
    pub use crate::listen::{SCHEDULED, Signal};
    pub use crate::meta::Meta;
    pub use crate::name::check as check_name;
    pub use crate::notifier::Notifier;
    pub use crate::progress::Progress;
    pub use crate::registry::{DuplicateKind, Registry};
    pub use crate::returned::{JobReturn, Unkept, encode_output};
    pub use crate::sql::STATEMENTS;
    pub use crate::state::{StateType, States};
    pub use crate::store::*;
    pub use crate::text::{storable, to_ascii};
    pub use crate::transactions::Places;
    pub use crate::{
        Backoff, CallError, Client, EnqueueError, Handler, JobContext, JobError, JobHandle, JobId, NewJob,
        Policy, Priority, State, Target,
    };
    pub use {async_trait::async_trait, inventory, serde, serde_json};
}
