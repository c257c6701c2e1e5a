//! Calls the application's `on_dead` for jobs that have died.

use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::worker_api::{Shard, chain};
use pgjobq_core::{EndedJob, JobState};
use tokio::time::timeout;
use uuid::Uuid;

use crate::config::OnDead;
use crate::pause::Pause;
use crate::runtime::Runtime;

/// The timeout of one call of `on_dead`.
const ALERT_TIMEOUT: Duration = Duration::from_secs(30);

/// The number of dead jobs that are read at once. With their arguments and errors each may have some MiB.
const READ_BATCH_SIZE: usize = 8;
/// The number of times that reading them is retried.
const READ_RETRIES: u32 = 5;

impl Runtime {
    /// Notifies waiters and calls `on_dead`, after the death of these jobs was recorded.
    pub(crate) fn alert(self: &Arc<Self>, shard: Shard, jobs: Vec<Uuid>) {
        if jobs.is_empty() {
            return;
        }
        self.notify_ended(&jobs);
        if let Some(on_dead) = self.config.on_dead.clone() {
            let alerts = alert_each(Arc::clone(self), on_dead, shard, jobs);
            match self.home.get() {
                Some(home) => self.alerts.spawn_on(alerts, home),
                None => self.alerts.spawn(alerts),
            };
        }
    }
}

async fn alert_each(runtime: Arc<Runtime>, on_dead: OnDead, shard: Shard, jobs: Vec<Uuid>) {
    for some in jobs.chunks(READ_BATCH_SIZE) {
        let mut pause = Pause::new();
        let mut read = runtime.client.ended(shard, some).await;
        for _ in 0..READ_RETRIES {
            let Err(error) = read else { break };
            tracing::debug!(error = chain(&error), "dead jobs were not read; trying again");
            tokio::time::sleep(pause.after_error()).await;
            read = runtime.client.ended(shard, some).await;
        }
        match read {
            Ok(ended) => {
                for job in ended.into_iter().filter(|job| job.state == JobState::Dead) {
                    alert(&on_dead, job).await;
                }
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), jobs = ?some, "`on_dead` was not called for dead jobs");
            }
        }
    }
}

async fn alert(on_dead: &OnDead, job: EndedJob) {
    let (id, on_dead) = (job.id, on_dead.clone());
    // A task of its own contains a panic.
    let mut alert = tokio::spawn(async move { on_dead.call(job).await });
    match timeout(ALERT_TIMEOUT, &mut alert).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(job.id = %id, %error, "`on_dead` panicked"),
        Err(_) => {
            alert.abort();
            tracing::warn!(job.id = %id, timeout = ?ALERT_TIMEOUT, "`on_dead` did not end in time");
        }
    }
}
