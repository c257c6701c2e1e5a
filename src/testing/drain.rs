//! Runs jobs until none is due.

use std::time::Duration;

use pgjobq_core::testing::due_elsewhere;
use pgjobq_worker::stepping::{Firing, Process};
use tokio::time::{sleep, timeout};

use super::error::{DrainError, Stuck};
use super::faults::{Fault, Faults, Request};
use super::process::{Settings, Slot};
use super::report::Drained;
use crate::Client;

/// The interval at which to look for jobs that running jobs have enqueued, if more than one may run at a time.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// Runs the jobs of a test.
#[derive(Debug, Default)]
pub(super) struct Runner {
    slot: Slot,
    attempts: Attempts,
}

/// The attempts that run. They outlive a drain whose future is dropped, and the next one waits for them.
#[derive(Debug, Default)]
struct Attempts {
    /// The kinds of their jobs.
    kinds: Vec<&'static str>,
    /// The fault that hits the process when they have ended. Until then no result is recorded.
    armed: Option<Fault>,
}

/// What is known of one drain.
struct Drain<'a> {
    /// True until the first upkeep is done.
    is_new: bool,
    begun: usize,
    /// True if no attempt has ended since all upkeep was done.
    tended: bool,
    attempts: &'a mut Attempts,
}

impl Runner {
    /// Runs jobs that are due, at most this many.
    pub(super) async fn run(
        &mut self,
        client: &Client,
        settings: &Settings,
        faults: &Faults,
        most: Option<usize>,
    ) -> Result<(), DrainError> {
        let _running = faults.begin();
        let limit = settings.time_limit;
        match timeout(limit, self.drain(client, settings, faults, most)).await {
            Ok(done) => done,
            Err(_) => {
                let running = std::mem::take(&mut self.attempts).kinds;
                self.slot.kill().await?;
                Err(DrainError::TimedOut { limit, running, drained: Drained::default() })
            }
        }
    }

    async fn drain(
        &mut self,
        client: &Client,
        settings: &Settings,
        faults: &Faults,
        most: Option<usize>,
    ) -> Result<(), DrainError> {
        let Self { slot, attempts } = self;
        let mut drain = Drain { is_new: true, begun: 0, tended: false, attempts };
        loop {
            let process = slot.ready(client, settings).await?;
            while drain.step(process, settings.at_once, faults, most).await? {}
            match drain.wait(process, settings.at_once, faults).await? {
                Waited::Idle if most.is_some_and(|most| drain.begun >= most) => return Ok(()),
                Waited::Idle => return complain(client, process, settings).await,
                Waited::Ended => {}
                Waited::Crashed => slot.kill().await?,
            }
        }
    }

    /// Fires the next tick of a schedule.
    pub(super) async fn fire(
        &mut self,
        client: &Client,
        settings: &Settings,
        name: &str,
    ) -> Result<Firing, DrainError> {
        Ok(self.slot.ready(client, settings).await?.fire(name).await?)
    }

    /// Ends the process.
    pub(super) async fn end(&mut self) {
        self.slot.end().await;
    }
}

/// The reason why a wait has ended.
enum Waited {
    /// There is nothing to wait for.
    Idle,
    /// Attempts have ended, or may have enqueued jobs.
    Ended,
    /// The process is to die.
    Crashed,
}

impl Drain<'_> {
    /// Begins a job that is due, or does the upkeep that may make one due. Returns false if there is neither.
    async fn step(
        &mut self,
        process: &mut Process,
        at_once: usize,
        faults: &Faults,
        most: Option<usize>,
    ) -> Result<bool, DrainError> {
        if process.running() >= at_once || most.is_some_and(|most| self.begun >= most) {
            if process.running() == 0 {
                process.begin_calls();
            }
            return Ok(false);
        }
        // The upkeep comes first, so that no job runs that has expired, or was requested to be cancelled.
        let claimed = if self.is_new { None } else { process.claim(self.attempts.armed.is_some()).await? };
        let Some(job) = claimed else {
            let may_find_more = !self.tended && self.attempts.kinds.is_empty();
            if may_find_more {
                process.tend().await?;
                (self.is_new, self.tended) = (false, true);
            }
            return Ok(may_find_more);
        };
        self.attempts.kinds.push(job.kind);
        self.begun += 1;
        self.tended = false;
        self.attempts.armed = self.attempts.armed.take().or_else(|| faults.take(job.kind));
        Ok(true)
    }

    /// Waits until attempts have ended and their results are recorded, and lets faults happen.
    async fn wait(
        &mut self,
        process: &mut Process,
        at_once: usize,
        faults: &Faults,
    ) -> Result<Waited, DrainError> {
        let Attempts { kinds, armed } = &mut *self.attempts;
        if kinds.is_empty() {
            return Ok(Waited::Idle);
        }
        let happened = tokio::select! {
            () = process.attempts_ended(armed.is_some()) => armed.take(),
            request = faults.requested() => match request {
                Request::Crash => Some(Fault::Crash),
                Request::LoseLease(done) => {
                    process.lose_leases().await?;
                    let _ = done.send(());
                    return Ok(Waited::Ended);
                }
            },
            () = sleep(LOOK_INTERVAL), if at_once > 1 => return Ok(Waited::Ended),
        };
        match happened {
            Some(Fault::Crash) => {
                kinds.clear();
                return Ok(Waited::Crashed);
            }
            Some(Fault::LoseLease) => process.lose_leases().await?,
            None => {}
        }
        process.results_recorded().await;
        kinds.clear();
        Ok(Waited::Ended)
    }
}

/// Fails if jobs are due that the process cannot run.
async fn complain(client: &Client, process: &mut Process, settings: &Settings) -> Result<(), DrainError> {
    let kinds = due_elsewhere(client, process.kinds()).await?;
    if kinds.is_empty() {
        return Ok(());
    }
    let jobs = kinds.iter().map(|kind| Stuck::new(kind, &settings.states)).collect();
    Err(DrainError::Stuck { jobs, drained: Drained::default() })
}
