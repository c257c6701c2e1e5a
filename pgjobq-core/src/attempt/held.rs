//! The right of an attempt to write about its job, and the limits of what it writes.

use std::time::Duration;

use crate::client::Client;
use crate::store::Hold;

/// Everything by which an attempt writes about its job.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Held {
    pub client: Client,
    pub hold: Hold,
    /// The retention of the completed job; `None` keeps nothing.
    pub keep: Option<Duration>,
    /// The largest size of a kept result, in bytes of JSON.
    pub max_result: usize,
}
