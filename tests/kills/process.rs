//! A worker process, seen from inside and from outside.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pgjobq::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use pgjobq::{Client, Worker, filter};

use crate::ledger::Ledger;
use crate::{HEARTBEAT, LEASE};

const URL: &str = "PGJOBQ_KILLS_URL";
const SLOTS: &str = "PGJOBQ_KILLS_SLOTS";
/// The role as which the worker connects. Its ledger connects as the owner.
const ROLE: &str = "PGJOBQ_KILLS_ROLE";
/// The filter of the jobs that it accepts. The ledger records it.
pub(crate) const FILTER: &str = "PGJOBQ_KILLS_FILTER";

/// The settings that a worker process receives.
pub(crate) struct Settings {
    url: String,
    slots: usize,
}

impl Settings {
    /// `None` in the process that is the test.
    pub(crate) fn from_environment() -> Option<Self> {
        let url = std::env::var(URL).ok()?;
        Some(Self { url, slots: std::env::var(SLOTS).ok()?.parse().ok()? })
    }
}

/// Works until a signal comes, or until standard input ends: when the test closes it or dies.
pub(crate) fn run(settings: Settings) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let options: PgConnectOptions = settings.url.parse().unwrap();
        let options = match std::env::var(ROLE) {
            Ok(role) => options.username(&role),
            Err(_) => options,
        };
        let client = Client::new(PgPoolOptions::new().connect_with(options).await.unwrap());
        let filter = std::env::var(FILTER).map_or_else(|_| filter::all(), |filter| filter.parse().unwrap());
        let worker = Worker::builder(&client)
            .name(std::process::id().to_string())
            .accept(filter)
            .queue("default", settings.slots)
            .state(Ledger::open(&settings.url).await)
            .heartbeat(HEARTBEAT)
            .lease(LEASE)
            .claim_timeout(Duration::from_secs(2))
            .poll_interval(Duration::from_millis(200))
            .connections(3)
            .build()
            .await
            .unwrap();
        let (ended, end) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            let _ = ended.send(());
        });
        let signal = async {
            tokio::select! {
                _ = end => {}
                () = pgjobq::shutdown_signal() => {}
            }
        };
        worker.run_until(signal).await.unwrap();
    });
}

/// A worker process of the test. Dropping it kills the process.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    pub(crate) fn start(url: &str, slots: usize) -> Self {
        Self::accepting(None, url, slots)
    }

    /// A worker that accepts only the jobs that this filter matches.
    pub(crate) fn accepting(filter: Option<&str>, url: &str, slots: usize) -> Self {
        Self::spawn(filter.map(|filter| (FILTER, filter)), url, slots)
    }

    /// A worker that connects as this role.
    pub(crate) fn with_role(role: &str, url: &str, slots: usize) -> Self {
        Self::spawn(Some((ROLE, role)), url, slots)
    }

    fn spawn(more: Option<(&str, &str)>, url: &str, slots: usize) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(URL, url).env(SLOTS, slots.to_string()).envs(more);
        Self { child: command.stdin(Stdio::piped()).spawn().unwrap() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends SIGKILL, and waits for the end of the process.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGSTOP.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// SIGCONT.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Shuts down gracefully; panics if the worker has left work unfinished.
    pub(crate) async fn shut_down(mut self) {
        drop(self.child.stdin.take());
        let ended = async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    break status;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let status = tokio::time::timeout(Duration::from_secs(40), ended).await.expect("the worker ends");
        assert!(status.success(), "a worker ended with {status}");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.id().to_string()]).status().unwrap();
        assert!(sent.success(), "kill {name} {}", self.id());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
