//! The costs of a run: marks before and after, and their difference.

mod database;
mod processes;

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use anyhow::Result;
use serde::{Deserialize, Serialize};

pub(crate) use database::Database;
pub(crate) use processes::machine;

/// The groups of processes whose use of the machine is measured separately.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Pids {
    /// The parent of all processes of the server.
    pub(crate) postmaster: u32,
    /// The process that started the run, and in which the delay proxy runs.
    pub(crate) conductor: u32,
}

/// Takes marks.
pub(crate) struct Meter {
    pids: Pids,
    pub(crate) database: Database,
    /// Further processes of the client: its workers in processes of their own.
    clients: Mutex<Vec<u32>>,
}

/// The state of all counters at one moment. CPU times are in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    at: Instant,
    wal: f64,
    server: f64,
    client: f64,
    conductor: f64,
    machine: f64,
}

/// The use of the machine between two marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Usage {
    pub(crate) seconds: f64,
    pub(crate) wal_bytes: f64,
    /// CPU seconds of the server, with all its processes, also those that ended meanwhile.
    pub(crate) server_cpu: f64,
    /// CPU seconds of the process that enqueues and works.
    pub(crate) client_cpu: f64,
    /// Cores that anything else used: other programs, the kernel's own threads, and other guests of the host.
    pub(crate) others: f64,
}

/// A run is disturbed if others used more of the machine than this many cores.
pub(crate) const QUIET: f64 = 0.2;

impl Meter {
    pub(crate) fn new(pids: Pids, database: Database) -> Self {
        Self { pids, database, clients: Mutex::default() }
    }

    /// Adds a process to the client.
    pub(crate) fn add_client(&self, pid: u32) {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).push(pid);
    }

    pub(crate) async fn mark(&self) -> Result<Mark> {
        let wal = self.database.wal().await?;
        Ok(Mark {
            at: Instant::now(),
            wal,
            server: processes::with_children(self.pids.postmaster)?,
            client: self.clients().into_iter().map(processes::alone).sum::<Result<f64>>()?,
            conductor: processes::alone(self.pids.conductor)?,
            machine: processes::machine()?,
        })
    }

    /// Forgets the peak of memory so far.
    pub(crate) fn reset_memory(&self) {
        // Fails on systems without this file; then the peak includes the preparation.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
    }

    /// The peak of the client's memory, in megabytes.
    pub(crate) fn memory(&self) -> f64 {
        self.clients().into_iter().map(processes::peak_megabytes).sum()
    }

    fn clients(&self) -> Vec<u32> {
        let mut all = self.clients.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.push(std::process::id());
        all
    }
}

impl Mark {
    pub(crate) fn until(&self, end: &Self) -> Usage {
        let seconds = (end.at - self.at).as_secs_f64();
        let (server, client) = (end.server - self.server, end.client - self.client);
        let ours = server + client + (end.conductor - self.conductor);
        Usage {
            seconds,
            wal_bytes: end.wal - self.wal,
            server_cpu: server,
            client_cpu: client,
            others: ((end.machine - self.machine - ours) / seconds).max(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn mark(at: Instant, seconds: f64) -> Mark {
        Mark {
            at,
            wal: 1000.0 * seconds,
            server: seconds,
            client: 0.5 * seconds,
            conductor: 0.0,
            machine: 1.75 * seconds,
        }
    }

    #[test]
    fn difference_of_marks_tells_others_from_ours() {
        let start = Instant::now();
        let usage = mark(start, 0.0).until(&mark(start + Duration::from_secs(4), 4.0));
        let expected =
            Usage { seconds: 4.0, wal_bytes: 4000.0, server_cpu: 4.0, client_cpu: 2.0, others: 0.25 };
        assert_eq!(usage, expected);
    }

    #[test]
    fn own_process_uses_part_of_the_machine() {
        let before = processes::machine().unwrap();
        assert!(processes::alone(std::process::id()).unwrap() <= processes::machine().unwrap());
        assert!(before > 0.0);
        assert!(processes::peak_megabytes(std::process::id()) > 0.0);
    }
}
