//! The error of finding a database for development.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// The error of finding a database for development, and what to do about it.
///
/// Its `Debug` is the message and its causes, for that is what `fn main() -> Result<(), Box<dyn Error>>` prints.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum DevError {
    /// Neither an address nor a way to start a server.
    #[error(
        "no DATABASE_URL and no PostgreSQL server programs found ({looked})\n  \
         set DATABASE_URL=postgres://user:pass@host/db, or\n  \
         install PostgreSQL 15 or newer (apt install postgresql | brew install postgresql@18), or\n  \
         let pgjobq fetch it (cargo run --features pgjobq/embedded), or\n  \
         set PGJOBQ_PG_BIN to the folder that has initdb, pg_ctl and postgres, or\n  \
         docker run -d -p 5432:5432 -e POSTGRES_PASSWORD=pg postgres:18 \
         && export DATABASE_URL=postgres://postgres:pg@localhost/postgres"
    )]
    NoPrograms {
        /// The places that were searched, and the unusable programs that were found there.
        looked: String,
    },
    /// `PGJOBQ_PG_BIN` names a folder that does not do.
    #[error("PGJOBQ_PG_BIN={}: {problem}; name the folder that has initdb, pg_ctl and postgres, 15 or newer", folder.display())]
    BadBin {
        /// The value of `PGJOBQ_PG_BIN`.
        folder: PathBuf,
        /// The problem with it.
        problem: String,
    },
    /// The server refuses to run as root, and there is no other user.
    #[error(
        "PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody` to run it as; set DATABASE_URL"
    )]
    NoAccount,
    /// No folder to put the server in.
    #[error(
        "no cache or temporary folder that the server's user can enter; set XDG_CACHE_HOME to one that every user can"
    )]
    NoFolder,
    /// A program could not be run.
    #[error("cannot run {}: {error}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// Something is wrong with a file or a folder.
    #[error("cannot {doing} {}: {error}", path.display())]
    Files {
        /// The action that failed, for example "make the folder".
        doing: &'static str,
        /// The file or folder of that action.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// `initdb` failed.
    #[error("initdb could not make a data directory in {}:\n{output}", folder.display())]
    Init {
        /// The folder.
        folder: PathBuf,
        /// The last lines of its output.
        output: String,
    },
    /// The server did not start.
    #[error("PostgreSQL did not start in {0}; stop what uses it and delete that folder to begin anew. {1} ends with:\n{log}",
        folder.display(), log_file.display())]
    Start {
        /// The folder that has its data.
        folder: PathBuf,
        /// Its log.
        log_file: PathBuf,
        /// The last lines of it.
        log: String,
    },
    /// The server neither starts nor stops in time.
    #[error("PostgreSQL has been starting or stopping for {limit:?} in {}; run/server.log there may say why", folder.display())]
    Stuck {
        /// The folder that has its data.
        folder: PathBuf,
        /// The time limit.
        limit: Duration,
    },
    /// Another process has been starting or stopping the server for too long.
    #[error("another process has been starting or stopping the server for {limit:?}; if there is none, delete {}", lock.display())]
    Busy {
        /// The content.
        lock: PathBuf,
        /// The time that was waited.
        limit: Duration,
    },
    /// The Tokio runtime shut down meanwhile.
    #[error("the Tokio runtime shut down while the server was being started or stopped")]
    Interrupted,
}

crate::debug_as_message!(DevError);

impl DevError {
    /// For `map_err` on file operations.
    pub(super) fn files(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::Files { doing, path, error }
    }
}

/// The end of a program's output, short enough for an error message.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(8);
    lines[from..].iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
