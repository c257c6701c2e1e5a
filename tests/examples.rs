//! What a newcomer meets first. The examples run as they are run by hand: each is a process of its own, tells what it did,
//! and stays short. The documents lead to what is there.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use sqlx::ConnectOptions;
use tokio::process::Command;
use tokio::time::timeout;

#[macro_use]
#[allow(dead_code, unused_macros)]
#[path = "it/harness.rs"]
mod harness;

use harness::TestDb;

/// What an example prints in this database. Nobody sees it in a terminal.
async fn run(name: &str, arguments: &[&str], db: &TestDb) -> String {
    let mut example = Command::new(env!("CARGO"));
    example.args(["run", "--quiet", "--offline", "--example", name, "--"]).args(arguments);
    example.env("DATABASE_URL", db.options.to_url_lossy().as_str()).kill_on_drop(true);
    // Most of it is for building it, should it not be built.
    let output = timeout(Duration::from_secs(300), example.output()).await.expect("the example ends");
    let output = output.unwrap();
    let (said, complained) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{said}{complained}");
    assert!(!(said.clone() + &complained).chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
    said
}

#[track_caller]
fn assert_says(said: &str, wanted: &[&str]) {
    for line in wanted {
        assert!(said.contains(line), "no {line:?} in:\n{said}");
    }
}

#[tokio::test]
async fn the_quickstart_digests_a_folder_again_and_again() {
    let db = TestDb::empty().await;
    for _ in 0..2 {
        let said = run("quickstart", &[concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples")], &db).await;
        // What `sha256sum` says of them.
        assert_says(
            &said,
            &[
                "       14  d9014c4624844aa5  hello.txt\n",
                "        0  e3b0c44298fc1c14  below/empty.txt\n",
                "       14  in 2 files: 4 jobs in ",
                "third_time_lucky  Completed(\"attempt 3 did it\")\n",
                "hopeless          Dead: there is no account 7 (attempt 1)\n",
            ],
        );
    }
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 0);
    assert_eq!(db.number("select count(*) from pgjobq.workers").await, 0, "the worker has signed off");
}

#[tokio::test]
async fn the_quickstart_takes_the_sources_of_the_project_when_nothing_is_named() {
    let db = TestDb::empty().await;
    let said = run("quickstart", &[], &db).await;
    assert_says(&said, &["Cargo.lock\n", "migrations/"]);
}

#[tokio::test]
async fn a_job_commits_or_vanishes_with_its_order() {
    let db = TestDb::empty().await;
    for _ in 0..2 {
        let said = run("transactional_enqueue", &[], &db).await;
        assert_says(
            &said,
            &[
                "before the commit:   None\n",
                "after the commit:    Completed(\"Thank you for buying a kettle.\")\n",
                "after a rollback:    None\n",
                "enqueued from SQL:   Completed(\"Thank you for buying two cups.\")\n",
            ],
        );
    }
}

#[test]
fn every_example_is_shorter_than_ninety_lines() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines < 90, "{} has {lines} lines", path.display());
    }
}

#[test]
fn every_link_in_the_documents_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for document in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"] {
        let text = fs::read_to_string(root.join(document)).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http")) {
            assert!(root.join(link).exists(), "{document} links to {link}");
        }
    }
}
