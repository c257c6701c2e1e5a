//! A worker process, seen from inside and from outside.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use pgjobq::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use pgjobq::{Client, Worker};
use tokio::sync::watch;

use crate::ledger::Ledger;
use crate::overheard::{self, Overheard};
use crate::{LEASE, SLOTS, chosen, limited, operator, witness};

const URL: &str = "PGJOBQ_CHAOS_URL";
const LEDGER: &str = "PGJOBQ_CHAOS_LEDGER";
const PLACE: &str = "PGJOBQ_CHAOS_PLACE";
const ROLE: &str = "PGJOBQ_CHAOS_ROLE";

/// The threads of a worker process's runtime.
pub(crate) const THREADS: usize = 2;

/// The settings that a worker process receives.
pub(crate) struct Settings {
    url: String,
    ledger: String,
    place: usize,
    /// The role at first.
    role: String,
}

impl Settings {
    /// `None` in the process that is the test.
    pub(crate) fn from_environment() -> Option<Self> {
        let of = |name| std::env::var(name).ok();
        Some(Self { url: of(URL)?, ledger: of(LEDGER)?, place: of(PLACE)?.parse().ok()?, role: of(ROLE)? })
    }
}

/// Works until standard input ends: when the test closes it or dies. Each line names the role to connect as from then on.
pub(crate) fn run(settings: &Settings) {
    overheard::tell();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(THREADS).enable_all().build().unwrap();
    let (ended, mut end) = tokio::sync::oneshot::channel();
    let (role, roles) = watch::channel(settings.role.clone());
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            role.send_replace(line);
        }
        let _ = ended.send(());
    });
    runtime.block_on(async {
        let worker = loop {
            // The network may be down, or go down in between.
            match tokio::time::timeout(Duration::from_secs(5), build(settings, &roles)).await {
                Ok(Ok(worker)) => break worker,
                Ok(Err(_)) | Err(_) if end.try_recv().is_ok() => return,
                Ok(Err(_)) | Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        };
        match worker.run_until(async { drop(end.await) }).await {
            Ok(()) => witness::tell_end().await,
            Err(error) => println!("WARN|message=left undone|error={error}"),
        }
    });
    // The runtime is not dropped, because a job that never awaits would block the drop.
    runtime.shutdown_background();
}

async fn build(
    settings: &Settings,
    roles: &watch::Receiver<String>,
) -> Result<Worker, Box<dyn std::error::Error>> {
    let name = format!("{} as {}", settings.place, std::process::id());
    let options: PgConnectOptions = settings.url.parse()?;
    let options = options.options([("chaos.process", std::process::id())]); // For `witness.sql`.
    let mut roles = roles.clone();
    let as_role = move |role: &str| options.clone().username(role);
    let pool = PgPoolOptions::new().connect_with(as_role(&roles.borrow_and_update())).await?;
    tokio::spawn({
        let pool = pool.clone();
        async move {
            while roles.changed().await.is_ok() {
                pool.set_connect_options(as_role(&roles.borrow_and_update()));
            }
        }
    });
    let client =
        Client::builder(pool).observer(witness::tell).telemetry_hook(witness::FailedStatements).build()?;
    // Every third has a heartbeat that is longer than the lease of the others.
    let lease = if settings.place % 3 == 1 { LEASE * 4 } else { LEASE };
    let worker = Worker::builder(&client)
        .name(&name)
        .queue("default", SLOTS)
        .state(Ledger::new(&settings.ledger, settings.place, &name))
        .queue(operator::QUEUE, 2)
        .queue(limited::QUEUE, SLOTS)
        .queue(limited::NARROW, 2)
        .queue(limited::PACKED, 1)
        .queue(chosen::QUEUE, 3)
        .queue(chosen::TOLLED, 3)
        .queue(chosen::NEW, 1)
        .queue(chosen::OLD, 1)
        .heartbeat(lease / 3)
        .lease(lease)
        .claim_timeout(LEASE)
        .poll_interval(Duration::from_millis(500))
        .grace(Duration::from_secs(1))
        .connections(3);
    Ok(worker.build().await?)
}

/// A worker process of the test. Dropping it kills the process.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    pub(crate) fn start(
        url: &str,
        ledger: &str,
        place: usize,
        role: &str,
        overheard: &Arc<Overheard>,
    ) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(URL, url)
            .env(LEDGER, ledger)
            .env(PLACE, place.to_string())
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null()) // Hides the expected panics and stack overflows.
            .spawn()
            .unwrap();
        let (said, overheard) = (child.stdout.take().unwrap(), Arc::clone(overheard));
        let process = child.id();
        overheard.witnessed.note_open();
        std::thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(std::io::Result::ok) {
                overheard.note(process, &line);
            }
            overheard.witnessed.note_closed();
        });
        Self { child }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns its exit status, if it has ended.
    pub(crate) fn end(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
    }

    /// Makes it connect as another role.
    pub(crate) fn take_role(&mut self, role: &str) {
        if let Some(input) = &mut self.child.stdin {
            let _ = writeln!(input, "{role}"); // It may be dead.
        }
    }

    /// Asks it to shut down.
    pub(crate) fn ask_to_end(&mut self) {
        drop(self.child.stdin.take());
    }
}

/// Sends a signal, if the process still lives.
pub(crate) fn signal(process: u32, name: &str) {
    let _ = Command::new("kill").args([name, &process.to_string()]).stderr(Stdio::null()).status();
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
