//! Completions, pages, and output that nobody reads.

use std::process::Stdio;

use crate::stage::{HOUR, Stage, cli_double, command, pgjobq};

const COMMANDS: [&str; 26] = [
    "migrate",
    "stats",
    "jobs",
    "job",
    "explain",
    "dead",
    "workflows",
    "schedules",
    "enqueue",
    "retry",
    "cancel",
    "requeue",
    "change",
    "delete",
    "actions",
    "audit",
    "pause",
    "resume",
    "doctor",
    "top",
    "serve",
    "bench",
    "sql",
    "grants",
    "completions",
    "man",
];

#[test]
fn help_names_all_commands_and_exit_codes() {
    let help = pgjobq(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    assert!(help.stdout.contains("Exit codes:\n  0  done\n"), "{}", help.stdout);
    for name in COMMANDS {
        assert!(help.stdout.contains(&format!("\n  {name} ")), "{name}: {}", help.stdout);
        let own = pgjobq(&[name, "--help"]);
        assert_eq!(own.code, 0);
        assert!(own.stdout.contains(&format!("Usage: pgjobq {name}")), "{}", own.stdout);
    }
    let none = pgjobq(&[]);
    assert_eq!(none.code, 2);
    let version = pgjobq(&["--version"]);
    assert_eq!(version.stdout, format!("pgjobq {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_exist_for_each_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = pgjobq(&["completions", shell]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stdout.contains("workflows") && ran.stdout.contains("retry-failed"), "{shell}");
    }
}

#[test]
fn manual_pages_describe_each_command() {
    let page = pgjobq(&["man"]).stdout;
    assert!(page.contains(".TH pgjobq 1") && page.contains("Exit codes"), "{page}");
    let folder = std::env::temp_dir().join(format!("pgjobq-man-{}", std::process::id()));
    let ran = pgjobq(&["man", "--dir", folder.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for name in COMMANDS {
        let page = std::fs::read_to_string(folder.join(format!("pgjobq-{name}.1"))).unwrap();
        assert!(page.contains("SYNOPSIS"), "{page}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Runs a command whose output nobody reads. Returns its exit code, and what it printed to standard error.
fn with_closed_output(arguments: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ran = command(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    (ran.status.code(), String::from_utf8(ran.stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_output_is_no_error() {
    let stage = Stage::new().await;
    let url = stage.url();
    cli_double::job(1).delay(HOUR).enqueue(&stage.client).await.unwrap();
    assert_eq!(with_closed_output(&["--url", &url, "stats"]), (Some(0), String::new()));
    // The verdict of a command stays.
    let unconfirmed = "error: nothing was changed: add --yes to change 1 job\n";
    assert_eq!(with_closed_output(&["--url", &url, "cancel", "all"]), (Some(4), unconfirmed.to_owned()));
    stage.run_sql("drop schema pgjobq cascade").await;
    for (arguments, code) in [(&["doctor", "--json"], 7), (&["migrate", "--check"], 5)] {
        let (ended, said) = with_closed_output(&[&["--url", &url], &arguments[..]].concat());
        assert_eq!(ended, Some(code), "{arguments:?}: {said}");
    }
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn environment_names_the_database() {
    let stage = Stage::new().await;
    let ran = command(&["stats"]).env("DATABASE_URL", stage.url()).output().unwrap();
    assert_eq!(ran.status.code(), Some(0));
    let ran =
        command(&["stats", "--help"]).env("DATABASE_URL", "postgres://ada:secret@host/app").output().unwrap();
    let help = String::from_utf8(ran.stdout).unwrap();
    assert!(help.contains("DATABASE_URL") && !help.contains("secret"), "{help}");
    stage.drop().await;
}
