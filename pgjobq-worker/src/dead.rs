//! Tells the application of jobs that have died.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::EndedJob;
use tokio::time::timeout;
use uuid::Uuid;

use crate::runtime::Runtime;
use crate::setup::chain;

/// How long an alert may take.
const ALERT_WITHIN: Duration = Duration::from_secs(30);

type Alert = dyn Fn(EndedJob) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// What the application does about a job that has died.
#[derive(Clone)]
pub(crate) struct OnDead(Arc<Alert>);

impl OnDead {
    pub(crate) fn new<F>(alert: impl Fn(EndedJob) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(Arc::new(move |job| Box::pin(alert(job))))
    }
}

impl fmt::Debug for OnDead {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("OnDead")
    }
}

impl Runtime {
    /// These jobs have died, and that is recorded.
    pub(crate) fn alert(self: &Arc<Self>, shard: i16, jobs: Vec<Uuid>) {
        if jobs.is_empty() {
            return;
        }
        self.notifier.ended(&jobs);
        if let Some(on_dead) = self.config.on_dead.clone() {
            let runtime = Arc::clone(self);
            self.alerts.spawn(async move {
                match runtime.client.ended(shard, &jobs).await {
                    Ok(ended) => alert_of_each(&on_dead, ended).await,
                    Err(error) => {
                        tracing::warn!(error = chain(&error), ?jobs, "nobody was told of dead jobs")
                    }
                }
            });
        }
    }
}

async fn alert_of_each(on_dead: &OnDead, jobs: Vec<EndedJob>) {
    for job in jobs {
        let id = job.id;
        // In a task of its own, whose panic is its own.
        match timeout(ALERT_WITHIN, tokio::spawn(on_dead.0(job))).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(job.id = %id, %error, "`on_dead` panicked"),
            Err(_) => tracing::warn!(job.id = %id, "`on_dead` did not end in time"),
        }
    }
}
