//! The filter of a worker, as its statements send it.

use crate::filter::{Filter, FilterError, FilterProblem};

/// The jobs that a worker claims; it passes over all others.
#[derive(Debug)]
pub struct AcceptedJobs {
    pub(super) text: String,
    pub(super) path: String,
    pub(super) needs_columns: bool,
}

impl AcceptedJobs {
    /// Compiles the filter of a worker. Returns `None` if it matches all jobs.
    pub fn new(filter: &Filter) -> Result<Option<Self>, FilterError> {
        let compiled = filter.compile()?;
        if let Some(column) = filter.column_not_at_claim() {
            return Err(FilterProblem::AtClaim(column).into());
        }
        let text = filter.to_string();
        let accepted = Self { text, path: compiled.path, needs_columns: compiled.needs_columns };
        Ok((!filter.is_all()).then_some(accepted))
    }
}
