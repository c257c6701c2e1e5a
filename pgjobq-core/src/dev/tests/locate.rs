//! Finding a database or the programs for one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::super::Database;
use super::super::endpoint::Endpoint;
use super::super::environment::{Environment, Shelf};
use super::super::postmaster::Postmaster;
use super::super::programs::{Programs, parse_version};
use super::Stage;

/// A folder with programs that only print their version.
fn install(stage: &Stage, folder: &str, version: &str) -> std::path::PathBuf {
    let bin = stage.0.join(folder).join("bin");
    fs::create_dir_all(&bin).unwrap();
    // A separate process writes the files. Otherwise a child could not execute them: this process, or one that another test
    // forked meanwhile, might still have them open for writing.
    let script = r#"for program in initdb pg_ctl postgres; do
        printf '#!/bin/sh\necho "postgres (PostgreSQL) %s"\n' "$1" > $program && chmod 755 $program
    done"#;
    let written = Command::new("sh").args(["-c", script, "sh", version]).current_dir(&bin).status();
    assert!(written.unwrap().success());
    bin
}

fn with_nothing(stage: &Stage) -> Environment {
    Environment {
        pg_bin: None,
        path: vec![],
        shelves: vec![],
        #[cfg(feature = "embedded")]
        releases: None,
        ..stage.environment()
    }
}

#[tokio::test]
async fn database_url_wins_and_nothing_is_started() {
    let stage = Stage::new();
    let database_url = Some("postgres://somewhere/else".to_owned());
    let database = Database::find(Environment { database_url, ..with_nothing(&stage) }).await.unwrap();
    assert_eq!(database.url(), "postgres://somewhere/else");
    assert!(database.share().is_none());
    assert_eq!(stage.0.read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn without_programs_the_error_lists_the_ways_out() {
    let stage = Stage::new();
    let old = install(&stage, "14", "14.9");
    let shelves = vec![Shelf { folder: "/nowhere/postgresql".into(), prefix: "" }];
    let error =
        Database::find(Environment { path: vec![old], shelves, ..with_nothing(&stage) }).await.unwrap_err();
    let expected = format!(
        "no DATABASE_URL and no PostgreSQL server programs found (looked in PATH, /nowhere/postgresql/*/bin; \
         {}/14/bin has PostgreSQL 14.9, which is too old)
  set DATABASE_URL=postgres://user:pass@host/db, or
  install PostgreSQL 15 or newer (apt install postgresql | brew install postgresql@18), or
  let pgjobq fetch it (cargo run --features pgjobq/embedded), or
  set PGJOBQ_PG_BIN to the folder that has initdb, pg_ctl and postgres, or
  docker run -d -p 5432:5432 -e POSTGRES_PASSWORD=pg postgres:18 && \
         export DATABASE_URL=postgres://postgres:pg@localhost/postgres",
        stage.0.display()
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(format!("{error:?}"), expected, "as `main` prints it");
}

#[tokio::test]
async fn a_folder_that_is_another_users_is_not_used() {
    let stage = Stage::new();
    let ours = Database::find(stage.environment()).await.unwrap();
    let own = ours.share().unwrap().cluster.folders.root.parent().unwrap().to_owned();
    drop(ours);
    fs::set_permissions(&own, fs::Permissions::from_mode(0o777)).unwrap();
    let environment = Environment { temps: vec![], ..stage.environment() };
    let error = format!("{:?}", Database::find(environment).await.unwrap_err());
    let expected = "it is not a folder that only we can write to; delete it or set XDG_CACHE_HOME";
    assert_eq!(error, format!("cannot make the folder {}: {expected}", own.display()));
}

#[test]
fn path_comes_before_the_newest_on_a_shelf() {
    let stage = Stage::new();
    for version in ["9", "15", "100"] {
        install(&stage, &format!("pgsql-{version}"), version);
    }
    let other = install(&stage, "other", "16.2 (Debian 16.2-1)");
    let shelves = vec![Shelf { folder: stage.0.clone(), prefix: "pgsql-" }];
    let shelved = Environment { shelves, ..with_nothing(&stage) };
    assert_eq!(Programs::find(&shelved).unwrap().major, 100);
    let both = Environment { path: vec![stage.0.clone(), other], ..shelved };
    assert_eq!(Programs::find(&both).unwrap().version, "16.2");
}

#[test]
fn a_named_folder_that_does_not_do_is_an_error() {
    let stage = Stage::new();
    let named = Environment { pg_bin: Some(stage.0.clone()), ..stage.environment() };
    let error = Programs::find(&named).unwrap_err().to_string();
    assert!(
        error
            .ends_with("it has no initdb; name the folder that has initdb, pg_ctl and postgres, 15 or newer"),
        "{error}"
    );
}

#[test]
fn versions_are_read_as_postgres_says_them() {
    assert_eq!(parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(("15.18", 15)));
    assert_eq!(parse_version("postgres (PostgreSQL) 19beta1\n"), Some(("19beta1", 19)));
    assert_eq!(parse_version("postgres: command not found"), None);
}

#[test]
fn variables_make_an_environment() {
    let variable = |name: &str| match name {
        "DATABASE_URL" => Some("".into()),
        "XDG_CACHE_HOME" => Some("relative".into()),
        "HOME" => Some("/home/ada".into()),
        _ => None,
    };
    let environment = Environment::from_variables(variable, "/var/tmp".into());
    assert_eq!(environment.database_url, None);
    assert_eq!(environment.caches, [std::path::PathBuf::from("/home/ada/.cache")]);
}

#[test]
fn a_url_survives_odd_folders() {
    let url = Endpoint::Socket("/tmp/a b?&é".into()).url("my db");
    assert_eq!(url, "postgres://postgres@localhost:5432/my%20db?host=/tmp/a%20b%3F%26%C3%A9");
}

#[test]
fn a_pid_file_is_read_only_when_whole() {
    let text = "71\n/data\n1763872969\n5432\n/run/here\n\n  5432101   7\nready   \n";
    let server = Postmaster::parse(text).unwrap();
    assert_eq!(server.endpoint, Endpoint::Socket("/run/here".into()));
    assert!(server.ready);
    assert!(!Postmaster::parse(&text.replace("ready   ", "starting")).unwrap().ready);
    assert!(Postmaster::parse("71\n/data\n1763872969\n5432\n").is_none());
    let tcp = Postmaster::parse("71\n/data\n1763872969\n6001\n\n127.0.0.1\n").unwrap();
    assert_eq!(tcp.endpoint, Endpoint::Tcp(6001));
}
