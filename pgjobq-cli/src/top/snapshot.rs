//! A look at the database.

use std::time::SystemTime;

use pgjobq::filter::state;
use pgjobq::{EndedJob, JobState, ListedJob, Pause, QueueOverview, RegisteredWorker};

use crate::failure::Failure;
use crate::session::Session;

/// The most jobs of a panel.
const MOST_JOBS: u32 = 100;

/// The state of everything at one moment.
pub(super) struct Snapshot {
    pub(super) queues: Vec<QueueOverview>,
    pub(super) running: Vec<ListedJob>,
    pub(super) dead: Vec<EndedJob>,
    pub(super) workers: Vec<RegisteredWorker>,
    pub(super) pauses: Vec<Pause>,
    pub(super) at: SystemTime,
}

impl Snapshot {
    pub(super) async fn take(session: &Session) -> Result<Self, Failure> {
        let client = &session.client;
        Ok(Self {
            queues: client.queues().await?,
            running: client.jobs(state(JobState::Running)).list(MOST_JOBS).await?.jobs,
            dead: client.dead_jobs().list(MOST_JOBS).await?,
            workers: client.workers().await?,
            pauses: client.pauses().await?,
            at: SystemTime::now(),
        })
    }
}
