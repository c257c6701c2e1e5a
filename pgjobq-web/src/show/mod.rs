//! Values as pages and JSON show them.

pub(crate) mod count;
pub(crate) mod json;
pub(crate) mod link;
pub(crate) mod moment;
pub(crate) mod prose;
pub(crate) mod span;
