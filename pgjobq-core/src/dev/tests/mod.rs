//! With real servers, each test in a folder of its own.

#![allow(clippy::unwrap_used)]

#[cfg(feature = "embedded")]
mod fetched;
mod guest;
mod locate;
mod private;
mod shared;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};

use super::environment::Environment;

/// A folder for one test, deleted in the end. Declare it before the server that lives in it.
struct Stage(PathBuf);

impl Stage {
    fn new() -> Self {
        let root = std::env::temp_dir().join(format!("pgjobq-test-{:08x}", fastrand::u32(..)));
        fs::create_dir(&root).unwrap();
        Self(root)
    }

    fn environment(&self) -> Environment {
        environment_in(&self.0)
    }

    /// The folder of the shared server, once there is one.
    fn server(&self) -> PathBuf {
        let own = self.0.read_dir().unwrap().flatten().map(|entry| entry.path());
        let own = own.into_iter().find(|path| path.to_string_lossy().contains("pgjobq-dev")).unwrap();
        own.read_dir().unwrap().next().unwrap().unwrap().path()
    }

    fn data(&self) -> PathBuf {
        self.server().join("data")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// That of this process, but with all folders in `root` and no `DATABASE_URL`.
fn environment_in(root: &Path) -> Environment {
    let caches = vec![root.to_owned()];
    Environment {
        database_url: None,
        caches,
        temps: vec![root.to_owned(), "/tmp".into()],
        ..Environment::current()
    }
}

fn has_pid_file(data: &Path) -> bool {
    data.join("postmaster.pid").exists()
}

fn pid_of(data: &Path) -> String {
    fs::read_to_string(data.join("postmaster.pid")).unwrap().lines().next().unwrap().to_owned()
}

/// Returns when the process is dead, or waits for its parent to notice: a dying server may still accept a connection.
fn kill(pid: &str) {
    assert!(Command::new("kill").args(["-KILL", pid]).status().unwrap().success());
    let status = Path::new("/proc").join(pid).join("stat");
    eventually("the killed process is gone", || {
        fs::read_to_string(&status).map_or(true, |status| status.contains(") Z "))
    });
}

#[track_caller]
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(30), "not within 30 s: {what}");
        std::thread::yield_now();
    }
}

async fn ask(url: &str, query: &'static str) -> String {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let answer = sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    answer
}

async fn run(url: &str, statement: &'static str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
