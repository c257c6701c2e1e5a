//! The worker process that runs the jobs of a test, started when it is first needed.

use std::collections::BTreeSet;
use std::time::Duration;

use pgjobq_core::testing::queue_names;
use pgjobq_core::worker_api::States;
use pgjobq_worker::stepping::Process;

use super::error::DrainError;
use crate::{Client, State};

/// The time that one drain may take.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// How a test wants its jobs to run.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) states: States,
    /// Counts the changes of states.
    version: u64,
    pub(super) at_once: usize,
    pub(super) time_limit: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { states: States::default(), version: 0, at_once: 1, time_limit: TIME_LIMIT }
    }
}

impl Settings {
    pub(super) fn put<T: Send + Sync + 'static>(&mut self, state: T) -> State<T> {
        self.version += 1;
        self.states.put(state)
    }
}

/// The process, if one runs.
#[derive(Debug, Default)]
pub(super) struct Slot(Option<Running>);

#[derive(Debug)]
struct Running {
    process: Process,
    /// The settings with which it was started.
    version: u64,
    at_once: usize,
}

impl Slot {
    /// Returns the process. Starts one if none runs, or if the one that runs lacks a queue or a state.
    pub(super) async fn ready(
        &mut self,
        client: &Client,
        settings: &Settings,
    ) -> Result<&mut Process, DrainError> {
        let mut queues: BTreeSet<String> = queue_names(client).await?.into_iter().collect();
        queues.extend(Process::linked_queues());
        let is_current = |running: &Running| {
            (running.version, running.at_once) == (settings.version, settings.at_once)
                && running.process.queues().iter().eq(&queues)
        };
        if !self.0.as_ref().is_some_and(is_current) {
            self.end().await;
            let Settings { states, version, at_once, .. } = settings.clone();
            let process = Process::start(client, queues.into_iter().collect(), states, at_once).await;
            self.0 = Some(Running { process: process?, version, at_once });
        }
        Ok(&mut self.0.as_mut().expect("it was started just now").process)
    }

    /// Ends the process in good order.
    pub(super) async fn end(&mut self) {
        if let Some(Running { process, .. }) = self.0.take() {
            let _ = process.end().await; // A worker that cannot sign off is given up with its database.
        }
    }

    /// Kills the process.
    pub(super) async fn kill(&mut self) -> Result<(), DrainError> {
        match self.0.take() {
            Some(Running { process, .. }) => Ok(process.die().await?),
            None => Ok(()),
        }
    }
}
