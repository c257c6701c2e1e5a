//! The exit code and the JSON of what was not done, and values that stay exact.

use std::process::Stdio;

use pgjobq::prelude::*;
use serde_json::{Value, json};

use crate::stage::{HOUR, Ran, Stage, cli_die, cli_double, command, pgjobq};

#[tokio::test(flavor = "multi_thread")]
async fn action_that_changes_no_job_ends_with_1() {
    let stage = Stage::new().await;
    let ran = stage.pgjobq(&["cancel", "tenant = 7"]);
    assert_eq!((ran.code, &*ran.stderr), (1, "error: no job matches that it would change\n"));
    let ran = stage.pgjobq(&["cancel", "tenant = 7", "--yes", "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &report["changed"], &report["state"]), (1, &json!(0), &json!("done")));
    let error: Value = serde_json::from_str(&ran.stderr).unwrap();
    let said = format!("action {} changed no job", report["id"]);
    assert_eq!(error, json!({"error": "refused", "message": said}));
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn estimate_of_no_job_asks_for_a_confirmation() {
    let stage = Stage::new().await;
    stage.text("(select count(pgjobq.enqueue('k', '{}')) from generate_series(1, 10500))").await;
    let ran = stage.pgjobq(&["cancel", "attempts > 2"]);
    assert!(ran.stderr.contains("add --yes to change all jobs that match"), "{} {}", ran.code, ran.stderr);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_job_ends_with_1() {
    let stage = Stage::new().await;
    stage.client.queue("full").bounded(1).save().await.unwrap();
    stage.client.queue("full").change().when_full(WhenFull::DropNew).await.unwrap();
    let enqueue = ["enqueue", "cli_double", r#"{"number": 1}"#, "--queue", "full"];
    assert_eq!(stage.pgjobq(&enqueue).code, 0);
    let ran = stage.pgjobq(&enqueue);
    let said = "error: the job was dropped: its queue is full, or its key is at its limit\n";
    assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (1, "", said));
    stage.drop().await;
}

/// A database in which the job is enqueued, and the look-up that follows fails.
#[tokio::test(flavor = "multi_thread")]
async fn enqueue_succeeds_even_if_no_worker_is_known() {
    let stage = Stage::new().await;
    stage.run_sql("alter view pgjobq.job_states rename to elsewhere").await;
    let ran = stage.pgjobq(&["enqueue", "cli_double", r#"{"number": 1}"#]);
    assert_eq!((ran.code, &*ran.stderr), (0, ""));
    let job: JobId = ran.stdout.trim().parse().unwrap();
    assert_eq!(stage.text("select id from pgjobq.jobs").await, job.to_string());
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn enqueue_warns_of_a_kind_that_nobody_has_recorded() {
    let stage = Stage::new().await;
    stage.client.queue("mail").save().await.unwrap();
    let ran = stage.pgjobq(&["enqueue", "cli_duoble", "--queue", "mail"]);
    let job: JobId = ran.stdout.trim().parse().unwrap();
    let warning = format!(
        "no program has recorded the kind `cli_duoble`: the job waits in the queue `mail` for a worker with a job function of that \
         kind; if the name is wrong, `pgjobq cancel {job}`"
    );
    assert_eq!((ran.code, ran.stderr), (0, format!("warning: {warning}\n")));
    let again = stage.json_of(&["enqueue", "cli_duoble", "--id", &job.to_string(), "--queue", "mail"]);
    let expected = json!({"job": job, "outcome": "duplicate", "queue": "mail", "warning": warning});
    assert_eq!(again, expected);
    // Another name of a kind is no mistake.
    stage.run_sql("update pgjobq.kinds set aliases = '{cli_duoble}' where kind = 'cli_double'").await;
    let ran = stage.pgjobq(&["enqueue", "cli_duoble", "--queue", "mail"]);
    assert!(ran.stderr.starts_with("warning: no live worker takes jobs of the kind"), "{}", ran.stderr);
    stage.drop().await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn interrupted_action_goes_on_and_ends_with_8() {
    let stage = Stage::new().await;
    for n in 0..3 {
        cli_double::job(n).delay(HOUR).enqueue(&stage.client).await.unwrap();
    }
    let arguments = ["--url", &stage.url(), "cancel", "all", "--yes", "--json", "--rate", "1 per hour"];
    for (nth, signal) in ["-INT", "-TERM"].into_iter().enumerate() {
        let mut running = command(&arguments);
        let running = running.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        stage.until(&format!("(select count(*) from pgjobq.actions where changed > 0) > {nth}")).await;
        let ran = Ran::after_signal(running, signal);
        assert_eq!((ran.code, &*ran.stdout), (8, ""), "{signal}: {}", ran.stderr);
        let error: Value = serde_json::from_str(&ran.stderr).unwrap();
        assert_eq!(error["error"], "interrupted");
        let actions = stage.json_of(&["actions"]);
        let said = format!("action {} goes on in the running workers;", actions[0]["id"]);
        assert!(error["message"].as_str().unwrap().starts_with(&said), "{error}");
        assert_eq!(actions[0]["state"], "running");
    }
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workflow_without_failed_steps_refuses_a_retry() {
    let stage = Stage::new().await;
    let worker = stage.worker().await;
    let mut flow = Workflow::new("ingest");
    flow.add(cli_double::step(21));
    let run = flow.enqueue(&stage.client).await.unwrap();
    _ = run.wait(&stage.client).await.unwrap();
    worker.shutdown().await.unwrap();
    let id = run.id().to_string();
    for act in ["--retry-failed", "--cancel"] {
        let ran = stage.pgjobq(&["workflows", &id, act]);
        let said = match act {
            "--cancel" => "does not run",
            _ => "has no step that could run again",
        };
        assert_eq!((ran.code, ran.stderr), (1, format!("error: workflow {id} {said}\n")));
    }
    stage.drop().await;
}

#[test]
fn mistakes_of_the_command_line_are_json_too() {
    for (arguments, said) in [
        (&["jbos", "--json"][..], "unrecognized subcommand 'jbos'"),
        (&["--json", "explain", "7"], "a job's id is a UUID"),
        (&["cancel", "--json"], "<ID|FILTER>"),
        (&["pause", "--for", "2h", "--json"], "<SCOPE>"),
    ] {
        let ran = pgjobq(arguments);
        assert_eq!((ran.code, &*ran.stdout), (2, ""), "{arguments:?}");
        let error: Value = serde_json::from_str(&ran.stderr).unwrap_or_else(|_| panic!("{}", ran.stderr));
        assert_eq!(error["error"], "usage");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(said) && !message.starts_with("error"), "{arguments:?}: {message}");
    }
    let help = pgjobq(&["stats", "--json", "--help"]);
    assert_eq!((help.code, &*help.stderr), (0, ""));
    assert!(help.stdout.contains("Usage: pgjobq stats"), "{}", help.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_jobs_keep_every_digit() {
    let stage = Stage::new().await;
    let worker = stage.worker().await;
    let args = r#"{"number": 12345678901234567890123}"#;
    stage.run_sql(&format!("select pgjobq.enqueue('cli_double', '{args}', retries => 0)")).await;
    stage.until("exists (select from pgjobq.finished)").await;
    worker.shutdown().await.unwrap();
    let json = stage.text_of(&["dead", "--json"]);
    assert!(json.contains(&format!("\"args\": {args}")), "{json}");
    let text = stage.text_of(&["dead", "--errors"]);
    assert!(text.contains(&format!("`cli_double` in `default` {args}\n")), "{text}");
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_controls_no_terminal_and_stays_exact() {
    let stage = Stage::new().await;
    let worker = stage.worker().await;
    let hostile = "\u{9b}31m\u{7f}\u{202e}\u{61c}\u{1b}[2J evil";
    let job = cli_die::job(hostile.to_owned()).key(hostile).attribute(hostile, hostile);
    let job = job.enqueue(&stage.client).await.unwrap();
    let _ = stage.end_of(&job).await;
    worker.shutdown().await.unwrap();
    let name = "\u{202e}\u{61c} evil"; // That of a workflow has no control characters.
    let mut flow = Workflow::new(name);
    flow.add(cli_double::step(1).named(name));
    let flow = flow.enqueue(&stage.client).await.unwrap().id().to_string();
    let id = job.id().to_string();
    for (arguments, exact, said) in [
        (&["dead"][..], "/0/errors/0/message", hostile),
        (&["jobs", "state = 'dead'"], "/jobs/0/key", hostile),
        (&["job", &id], "/args/message", hostile),
        (&["workflows"], "/0/name", name),
        (&["workflows", &flow, "--graph"], "/workflow", name),
    ] {
        let text = stage.text_of(&[arguments, &["--json"]].concat());
        let odd: Vec<_> = text
            .chars()
            .filter(|c| (c.is_control() && *c != '\n') || matches!(c, '\u{202e}' | '\u{61c}'))
            .collect();
        assert!(odd.is_empty(), "{arguments:?}: {text:?}");
        let json: Value = serde_json::from_str(&text).unwrap();
        let shown = json.pointer(exact).unwrap_or_else(|| panic!("{arguments:?}: {json:#}"));
        assert_eq!(shown, said, "{arguments:?}");
    }
    let ran = stage.pgjobq(&["stats", hostile, "--json"]);
    assert!(ran.stderr.contains(r"\u009b31m\u007f\u202e\u061c\u001b[2J evil"), "{:?}", ran.stderr);
    stage.drop().await;
}
