//! Batches: several jobs of a kind that one call of its job function takes, each of which ends by itself.

#[allow(clippy::module_inception)] // The type of this name is the idea.
pub(crate) mod batch;
pub(crate) mod call;
pub(crate) mod item;
pub(crate) mod settling;
