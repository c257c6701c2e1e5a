//! The worker processes. One that has died is replaced by a new one, in the same place of the network.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::overheard::Overheard;
use crate::process::{Process, signal};
use crate::proxy::Proxy;
use crate::stage::ROLES;

/// The interval between two looks for a dead worker.
const LOOK: Duration = Duration::from_millis(20);
/// A shutdown takes a second of grace, three until the last attempt is dropped, ten for the last results, and five to sign off.
const END_WITHIN: Duration = Duration::from_secs(25);

const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;

pub(crate) struct Fleet {
    ledger: String,
    urls: Vec<String>,
    workers: Mutex<Workers>,
    pub(crate) overheard: Arc<Overheard>,
}

#[derive(Default)]
struct Workers {
    /// The index in [`ROLES`] of the role that they connect as.
    role: usize,
    by_place: Vec<Process>,
    ends: Vec<ExitStatus>,
}

impl Fleet {
    /// One worker at each of these networks.
    pub(crate) fn start(networks: &[Proxy], ledger: String) -> Self {
        let urls = networks.iter().map(Proxy::url).collect();
        let fleet = Self { ledger, urls, workers: Mutex::default(), overheard: Arc::default() };
        let all = (0..networks.len()).map(|place| fleet.begin(place, ROLES[0])).collect();
        fleet.workers().by_place = all;
        fleet
    }

    /// Replaces dead workers, without an end.
    pub(crate) async fn tend(&self) {
        loop {
            {
                let mut workers = self.workers();
                for place in 0..workers.by_place.len() {
                    if let Some(status) = workers.by_place[place].end() {
                        workers.ends.push(status);
                        workers.by_place[place] = self.begin(place, ROLES[workers.role]);
                    }
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    pub(crate) fn kill(&self, place: usize) {
        self.workers().by_place[place].kill();
    }

    /// Asks the worker to shut down gracefully. Another one replaces it.
    pub(crate) fn replace(&self, place: usize) {
        self.workers().by_place[place].ask_to_end();
    }

    /// Stops the process that is there now, and returns its number for [`Self::thaw`].
    pub(crate) fn freeze(&self, place: usize) -> u32 {
        let process = self.workers().by_place[place].id();
        signal(process, "-STOP");
        process
    }

    pub(crate) fn thaw(&self, process: u32) {
        signal(process, "-CONT");
    }

    /// The role that they connect as, and the one that follows after a rotation.
    pub(crate) fn next_role(&self) -> (&'static str, &'static str) {
        let role = self.workers().role;
        (ROLES[role], ROLES[1 - role])
    }

    /// Makes all of them connect as the next role.
    pub(crate) fn take_next_role(&self) {
        let mut workers = self.workers();
        workers.role = 1 - workers.role;
        let role = ROLES[workers.role];
        workers.by_place.iter_mut().for_each(|worker| worker.take_role(role));
    }

    /// Unexpected ends of workers: not by our signals, their jobs' aborts, or a shutdown.
    pub(crate) fn odd_ends(&self) -> Vec<String> {
        let known =
            |status: &&ExitStatus| !status.success() && !matches!(status.signal(), Some(SIGABRT | SIGKILL));
        self.workers().ends.iter().filter(known).map(ToString::to_string).collect()
    }

    /// Shuts all workers down. From here on, dead workers are not replaced.
    pub(crate) async fn end(&self, patience: u32) {
        let mut all = std::mem::take(&mut self.workers().by_place);
        all.iter_mut().for_each(Process::ask_to_end);
        let asked = Instant::now();
        for worker in &mut all {
            let status = loop {
                match worker.end() {
                    Some(status) => break status,
                    None if asked.elapsed() > END_WITHIN * patience => panic!("a worker does not shut down"),
                    None => tokio::time::sleep(LOOK).await,
                }
            };
            self.workers().ends.push(status);
        }
    }

    fn begin(&self, place: usize, role: &str) -> Process {
        Process::start(&self.urls[place], &self.ledger, place, role, &self.overheard)
    }

    fn workers(&self) -> MutexGuard<'_, Workers> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
