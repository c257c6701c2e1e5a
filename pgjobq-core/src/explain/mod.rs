//! The reasons why a job is not running: the answer of the SQL function `pgjobq.explain`, as a value.

pub(crate) mod cause;
pub(crate) mod explanation;
