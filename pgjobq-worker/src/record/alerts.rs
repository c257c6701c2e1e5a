//! Tells the application of jobs that have died.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::{EndedJob, JobState};
use tokio::time::timeout;
use uuid::Uuid;

use crate::pause::Pause;
use crate::runtime::Runtime;
use crate::setup::chain;

/// How long an alert may take.
const ALERT_WITHIN: Duration = Duration::from_secs(30);

/// How many dead jobs are read at once, with their arguments and errors, which may be some MiB each.
const READ_AT_ONCE: usize = 8;
/// How often reading them is tried again.
const READ_TRIES: u32 = 5;

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
        self.tell_ended(&jobs);
        if let Some(on_dead) = self.config.on_dead.clone() {
            let told = tell_of_each(Arc::clone(self), on_dead, shard, jobs);
            match self.home.get() {
                Some(home) => self.alerts.spawn_on(told, home),
                None => self.alerts.spawn(told),
            };
        }
    }
}

async fn tell_of_each(runtime: Arc<Runtime>, on_dead: OnDead, shard: i16, jobs: Vec<Uuid>) {
    for some in jobs.chunks(READ_AT_ONCE) {
        let mut pause = Pause::new();
        let mut read = runtime.client.ended(shard, some).await;
        for _ in 0..READ_TRIES {
            let Err(error) = read else { break };
            tracing::debug!(error = chain(&error), "dead jobs were not read; trying again");
            tokio::time::sleep(pause.after_error()).await;
            read = runtime.client.ended(shard, some).await;
        }
        match read {
            Ok(ended) => {
                for job in ended.into_iter().filter(|job| job.state == JobState::Dead) {
                    tell(&on_dead, job).await;
                }
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), jobs = ?some, "`on_dead` was not called for dead jobs");
            }
        }
    }
}

async fn tell(on_dead: &OnDead, job: EndedJob) {
    let (id, on_dead) = (job.id, on_dead.clone());
    // In a task of its own, whose panic is its own.
    let mut told = tokio::spawn(async move { on_dead.0(job).await });
    match timeout(ALERT_WITHIN, &mut told).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(job.id = %id, %error, "`on_dead` panicked"),
        Err(_) => {
            told.abort();
            tracing::warn!(job.id = %id, "`on_dead` did not end in time");
        }
    }
}
