//! The description of a job: its kind, policy, arguments and result, and the job functions linked into the program.

pub(crate) mod app_state;
pub(crate) mod argument;
pub(crate) mod attribute;
pub(crate) mod backoff;
pub(crate) mod computed;
pub(crate) mod descriptor;
pub(crate) mod error;
pub(crate) mod handler;
pub(crate) mod id;
pub(crate) mod job_return;
pub(crate) mod json;
pub(crate) mod limit;
pub(crate) mod lineage;
pub(crate) mod name;
pub(crate) mod other_kind;
pub(crate) mod place;
pub(crate) mod policy;
pub(crate) mod priority;
pub(crate) mod rate;
pub(crate) mod registry;
pub(crate) mod sha256;
pub(crate) mod shape;
pub(crate) mod stored_args;
pub(crate) mod unique;
