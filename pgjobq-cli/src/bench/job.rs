//! The job of a measurement.

use std::time::Instant;

use pgjobq::prelude::*;
use tokio::sync::mpsc::UnboundedSender;

/// The queue of the jobs, in a schema of their own.
pub(super) const QUEUE: &str = "pgjobq_bench";

/// Receives the time at which each job starts.
pub(super) struct Starts(pub(super) UnboundedSender<Instant>);

impl Starts {
    /// An interrupted measurement receives no more.
    fn note(&self) {
        let _ = self.0.send(Instant::now());
    }
}

/// Does nothing but to note its start. Nothing is kept of it.
#[job(kind = "pgjobq_bench", queue = "pgjobq_bench", retain = "0s")]
pub(super) async fn noop(n: u64, starts: State<Starts>) -> Result<()> {
    let _ = n;
    starts.note();
    Ok(())
}
