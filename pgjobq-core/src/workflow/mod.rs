//! Workflows: steps that take the outputs of other steps as their arguments, from the builder to the handle.

pub(crate) mod builder;
pub(crate) mod cancel;
pub(crate) mod deliver;
pub(crate) mod draft;
pub(crate) mod enclosed;
pub(crate) mod enqueue;
pub(crate) mod error;
pub(crate) mod gather;
pub(crate) mod graph;
pub(crate) mod handle;
pub(crate) mod identity;
pub(crate) mod input;
pub(crate) mod insert;
pub(crate) mod links;
pub(crate) mod listed;
pub(crate) mod new_step;
pub(crate) mod operate;
pub(crate) mod plan;
pub(crate) mod reference;
pub(crate) mod status;
pub(crate) mod step;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
