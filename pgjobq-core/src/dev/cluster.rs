//! A data directory and the server on it: made, started, stopped.

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::endpoint::Endpoint;
use super::error::{DevError, last_lines};
use super::folders::Folders;
use super::platform::Account;
use super::postmaster::{Postmaster, forget_reused_pid};
use super::programs::Programs;
use super::settings::ServerOptions;

/// The time that a server may take to start; after a crash it has to recover first.
const START: Duration = Duration::from_secs(60);
/// The time that the processes of a killed server may take to end.
const GOING: Duration = Duration::from_secs(5);
/// The time that a server may take to disconnect everyone.
const REMOVE: Duration = Duration::from_secs(10);
/// The interval at which a condition is checked.
const POLL: Duration = Duration::from_millis(10);

/// A data directory and the server on it. Each method needs exclusive access.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) programs: Programs,
    pub(super) account: Account,
    pub(super) folders: Folders,
    pub(super) options: ServerOptions,
}

/// The way in which a server ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// Disconnects its clients and writes everything down.
    Fast,
    /// Drops everything, as if it had crashed.
    Immediate,
}

impl Cluster {
    /// Returns whether there is a data directory for these programs.
    pub(super) fn is_made(&self) -> bool {
        fs::read_to_string(self.folders.data().join("PG_VERSION"))
            .is_ok_and(|version| version.trim() == self.programs.major.to_string())
    }

    /// Makes a new data directory. An existing one is set aside once the new one is complete.
    pub(super) fn make(&self) -> Result<(), DevError> {
        let folders = &self.folders;
        folders.remove_unfinished();
        let fresh = folders.unfinished();
        self.account.server_folder(&fresh)?;
        let mut initdb = self.command("initdb");
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        initdb.arg("-D").arg(&fresh);
        let output = initdb.output().map_err(|source| self.cannot_run("initdb", source))?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            folders.remove_unfinished();
            return Err(DevError::Init {
                folder: fresh,
                output: last_lines(&String::from_utf8_lossy(&said)),
            });
        }
        folders.replace_data(&fresh)
    }

    /// Starts the server, and waits until it takes connections.
    pub(super) fn start(&self, endpoint: &Endpoint) -> Result<(), DevError> {
        let (data, log_file) = (self.folders.data(), self.folders.log());
        self.account.publish(&self.folders.conf(), &self.options.file(endpoint))?;
        forget_reused_pid(&data);
        let begun = Instant::now();
        loop {
            let _ = fs::remove_file(&log_file);
            // pg_ctl hands paths to a shell: hence relative ones, and the data directory by variable.
            let mut start = self.command("pg_ctl");
            start.args(["start", "--silent", "--wait", "--log=server.log"]);
            start
                .args(["--options=-c config_file=../postgresql.conf", "--timeout"])
                .arg(START.as_secs().to_string());
            start.env("PGDATA", &data);
            if self.run_silent(start)? {
                return Ok(());
            }
            let log = fs::read_to_string(&log_file).unwrap_or_default();
            let still_going = log.contains("already exists") || log.contains("still in use");
            if !still_going || begun.elapsed() > GOING || Postmaster::of(&data).is_some() {
                return Err(DevError::Start {
                    folder: self.folders.root.clone(),
                    log_file,
                    log: last_lines(&log),
                });
            }
            sleep(POLL);
        }
    }

    /// Returns the endpoint of the running server, once it has finished starting; `None` if no server runs.
    pub(super) fn running(&self) -> Result<Option<Endpoint>, DevError> {
        let begun = Instant::now();
        while let Some(server) = Postmaster::of(&self.folders.data()) {
            if server.ready {
                return Ok(Some(server.endpoint));
            }
            if begun.elapsed() > START {
                return Err(self.stuck(START));
            }
            sleep(POLL);
        }
        Ok(None)
    }

    /// Stops the server and waits until it is gone; fine if there is none.
    pub(super) fn stop(&self, how: Stop, limit: Duration) -> Result<(), DevError> {
        let data = self.folders.data();
        // Never on the word of `postmaster.pid` alone: its number may belong to another program by now.
        if Postmaster::of(&data).is_none() {
            return Ok(());
        }
        let mut stop = self.command("pg_ctl");
        let mode = match how {
            Stop::Fast => "fast",
            Stop::Immediate => "immediate",
        };
        stop.args(["stop", "--silent", "--wait", "--mode", mode, "--timeout"])
            .arg(limit.as_secs().to_string());
        stop.env("PGDATA", &data);
        if self.run_silent(stop)? || Postmaster::of(&data).is_none() {
            Ok(())
        } else {
            Err(self.stuck(limit))
        }
    }

    /// Stops the server and deletes all its folders.
    pub(super) fn remove(&self) {
        let root = &self.folders.root;
        let stopped = self.stop(Stop::Immediate, REMOVE);
        let deleted = fs::remove_dir_all(root);
        if stopped.is_err() || deleted.is_err() {
            tracing::warn!(folder = %root.display(), "a private server is left behind");
        }
    }

    /// A program of PostgreSQL, run as the server's user, out of reach of variables meant for clients.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.path(program));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        command.envs(self.options.variables.iter().map(|(name, value)| (name, value)));
        command.env("LC_ALL", "C").current_dir(self.folders.run()).stdin(Stdio::null());
        self.account.take_on(&mut command);
        command
    }

    /// Returns whether the command succeeds. It is silent, because the server inherits the output of `pg_ctl` and
    /// would keep a pipe open.
    fn run_silent(&self, mut command: Command) -> Result<bool, DevError> {
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.map(|status| status.success()).map_err(|source| self.cannot_run("pg_ctl", source))
    }

    fn cannot_run(&self, program: &str, error: std::io::Error) -> DevError {
        DevError::Run { program: self.programs.path(program), error }
    }

    fn stuck(&self, limit: Duration) -> DevError {
        DevError::Stuck { folder: self.folders.root.clone(), limit }
    }
}
