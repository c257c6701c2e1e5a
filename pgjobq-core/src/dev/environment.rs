//! The inputs of the search for a database, as a value, so that tests can make their own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The inputs of the search for a database.
#[derive(Clone, Debug)]
pub(super) struct Environment {
    /// A database that exists already.
    pub(super) database_url: Option<String>,
    /// The folder that the user named.
    pub(super) pg_bin: Option<PathBuf>,
    /// The folders of `PATH`.
    pub(super) path: Vec<PathBuf>,
    /// The folders in which packages install PostgreSQL.
    pub(super) shelves: Vec<Shelf>,
    /// The folders in which data may be kept, best first.
    pub(super) caches: Vec<PathBuf>,
    /// The folders for temporary files.
    pub(super) temps: Vec<PathBuf>,
    /// The address to fetch PostgreSQL from if this machine has none.
    #[cfg(feature = "embedded")]
    pub(super) releases: Option<&'static str>,
}

/// A folder with one folder for each version: `<folder>/<prefix>*/bin`.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    pub(super) folder: PathBuf,
    pub(super) prefix: &'static str,
}

impl Environment {
    /// Reads the environment of this process.
    pub(super) fn current() -> Self {
        Self::from_variables(|name| std::env::var_os(name), std::env::temp_dir())
    }

    /// Reads the environment that these variables describe. An empty variable counts as unset.
    pub(super) fn from_variables(variable: impl Fn(&str) -> Option<OsString>, temp: PathBuf) -> Self {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        let folder = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let caches = [
            folder("XDG_CACHE_HOME"),
            folder("HOME").map(|home| home.join(".cache")),
            folder("LOCALAPPDATA"),
        ];
        let mut temps = vec![temp];
        if cfg!(unix) {
            temps.push("/tmp".into());
        }
        Self {
            database_url: variable("DATABASE_URL").and_then(|url| url.into_string().ok()),
            pg_bin: variable("PGJOBQ_PG_BIN").map(PathBuf::from),
            path: variable("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default(),
            shelves: shelves(),
            caches: caches.into_iter().flatten().collect(),
            temps,
            #[cfg(feature = "embedded")]
            releases: Some(super::fetched::RELEASES),
        }
    }
}

/// Debian, the packages of postgresql.org, Homebrew, Postgres.app and the installer for Windows.
fn shelves() -> Vec<Shelf> {
    let places: &[(&str, &'static str)] = if cfg!(windows) {
        &[("C:/Program Files/PostgreSQL", "")]
    } else {
        &[
            ("/usr/lib/postgresql", ""),
            ("/usr", "pgsql-"),
            ("/opt/homebrew/opt", "postgresql@"),
            ("/usr/local/opt", "postgresql@"),
            ("/home/linuxbrew/.linuxbrew/opt", "postgresql@"),
            ("/Applications/Postgres.app/Contents/Versions", ""),
        ]
    };
    places.iter().map(|&(folder, prefix)| Shelf { folder: Path::new(folder).into(), prefix }).collect()
}
