//! Finds the programs of a PostgreSQL server on this machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::environment::{Environment, Shelf};
use super::error::DevError;
#[cfg(feature = "embedded")]
use crate::chain::chain;

/// The oldest PostgreSQL that pgjobq works with.
const OLDEST: u32 = 15;

/// A folder with `initdb`, `pg_ctl` and `postgres` that are new enough.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    bin: PathBuf,
    /// The version as PostgreSQL prints it: `15.18`.
    pub(super) version: String,
    /// Data directories of different majors do not mix.
    pub(super) major: u32,
}

impl Programs {
    /// Returns the first usable programs: those of `PGJOBQ_PG_BIN` and no others, or else of `PATH`, or else the
    /// newest in the folders of packages, or else, with the feature `embedded`, those that can be fetched.
    pub(super) fn find(environment: &Environment) -> Result<Self, DevError> {
        if let Some(folder) = &environment.pg_bin {
            return Self::inspect(folder).map_err(|problem| DevError::BadBin {
                folder: folder.clone(),
                problem: problem.to_string(),
            });
        }
        let mut unfit = Vec::new();
        let shelved = environment.shelves.iter().flat_map(Shelf::bins);
        for bin in environment.path.iter().cloned().chain(shelved) {
            match Self::inspect(&bin) {
                Ok(programs) => return Ok(programs),
                Err(Unfit::Lacks(_)) => {}
                Err(old) => unfit.push(format!("; {} {old}", bin.display())),
            }
        }
        #[cfg(feature = "embedded")]
        if let Some(releases) = environment.releases {
            match super::fetched::programs(environment, releases) {
                Ok(programs) => return Ok(programs),
                Err(error) => unfit.push(format!("; they could not be fetched: {}", chain(&error))),
            }
        }
        let places = environment.shelves.iter().map(|shelf| format!(", {shelf}"));
        Err(DevError::NoPrograms {
            looked: format!("looked in PATH{}{}", places.collect::<String>(), unfit.concat()),
        })
    }

    /// The path of one of them.
    pub(super) fn path(&self, program: &str) -> PathBuf {
        executable(&self.bin, program)
    }

    pub(super) fn inspect(bin: &Path) -> Result<Self, Unfit> {
        if let Some(lacking) =
            ["initdb", "pg_ctl", "postgres"].into_iter().find(|name| !executable(bin, name).is_file())
        {
            return Err(Unfit::Lacks(lacking));
        }
        let output = Command::new(executable(bin, "postgres")).arg("--version").stdin(Stdio::null()).output();
        let said =
            output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let Some((version, major)) = parse_version(&said) else { return Err(Unfit::Silent) };
        if major < OLDEST {
            return Err(Unfit::Old(version.to_owned()));
        }
        Ok(Self { bin: bin.to_owned(), version: version.to_owned(), major })
    }
}

/// Returns the reason why a folder is not usable.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    #[error("it has no {0}")]
    Lacks(&'static str),
    #[error("its postgres does not say its version")]
    Silent,
    #[error("has PostgreSQL {0}, which is too old")]
    Old(String),
}

impl Shelf {
    /// The `bin` folders on it, that of the highest version first.
    fn bins(&self) -> Vec<PathBuf> {
        let entries = self.folder.read_dir().into_iter().flatten().flatten();
        let mut versions: Vec<(u32, PathBuf)> = entries
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let version = name.strip_prefix(self.prefix)?.split('.').next()?.parse().ok()?;
                Some((version, entry.path().join("bin")))
            })
            .collect();
        versions.sort_by(|left, right| right.cmp(left));
        versions.into_iter().map(|(_, bin)| bin).collect()
    }
}

impl std::fmt::Display for Shelf {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}*/bin", self.folder.display(), self.prefix)
    }
}

fn executable(bin: &Path, program: &str) -> PathBuf {
    bin.join(format!("{program}{}", std::env::consts::EXE_SUFFIX))
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` is `15.18` of major 15; a beta is `19beta1` of 19.
pub(super) fn parse_version(said: &str) -> Option<(&str, u32)> {
    let version = said.split_once("(PostgreSQL) ")?.1.split_whitespace().next()?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((version, digits.parse().ok()?))
}
