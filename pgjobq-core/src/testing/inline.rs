//! The hook of inline mode: it runs after each enqueue of a client that is certainly committed.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use crate::attempt::current::current;

type Run = dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// The function that inline mode calls after each enqueue; empty unless the mode is on.
#[derive(Default)]
pub struct Inline(OnceLock<Arc<Run>>);

impl fmt::Debug for Inline {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Inline").field(&self.0.get().is_some()).finish()
    }
}

impl Inline {
    /// Runs what was enqueued. Within a job function it does nothing, because whoever runs that runs this job next. A task that a job
    /// function has spawned is not known here: the kit looks if jobs run.
    pub(crate) async fn enqueued(&self) {
        if let Some(run) = self.0.get()
            && current().is_none()
        {
            run().await;
        }
    }

    pub(crate) fn set(&self, run: Arc<Run>) {
        let _ = self.0.set(run); // It is on already.
    }
}
