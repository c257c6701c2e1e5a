//! Why is a job not running? The answer of the SQL function `pgjobq.explain`, as a value.

pub(crate) mod cause;
pub(crate) mod explanation;
