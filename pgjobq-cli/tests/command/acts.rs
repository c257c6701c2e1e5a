//! Commands that change something.

use std::io::Write as _;
use std::process::Stdio;

use pgjobq::prelude::*;
use serde_json::{Value, json};

use crate::stage::{HOUR, Stage, cli_die, cli_double, command};

async fn state_of(stage: &Stage, job: JobId) -> JobState {
    stage.client.job(job).status().await.unwrap().unwrap().state
}

#[tokio::test(flavor = "multi_thread")]
async fn action_on_many_shows_the_count_and_needs_yes() {
    let stage = Stage::new().await;
    let mut jobs = Vec::new();
    for n in 0..4 {
        let job =
            cli_double::job(n).attribute("tenant", n % 2).delay(HOUR).enqueue(&stage.client).await.unwrap();
        jobs.push(job.id());
    }
    let ran = stage.pgjobq(&["cancel", "tenant = 1"]);
    assert_eq!(ran.code, 4);
    assert!(ran.stdout.starts_with("cancel of 2 jobs: tenant = 1\n"), "{}", ran.stdout);
    assert_eq!(ran.stderr, "error: nothing was changed: add --yes to change 2 jobs\n");
    let ran = stage.pgjobq(&["cancel", "tenant = 1", "--json"]);
    assert_eq!(ran.code, 4);
    let preview: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&preview["jobs"], preview["samples"].as_array().unwrap().len()), (&json!(2), 2));
    assert_eq!(state_of(&stage, jobs[1]).await, JobState::Scheduled);

    let done = stage.json_of(&[
        "cancel",
        "tenant = 1",
        "--yes",
        "--by",
        "ada",
        "--because",
        "the customer has left",
    ]);
    assert_eq!((&done["changed"], &done["state"]), (&json!(2), &json!("done")));
    assert_eq!(state_of(&stage, jobs[1]).await, JobState::Cancelled);
    assert_eq!(state_of(&stage, jobs[0]).await, JobState::Scheduled);
    let back = stage.text_of(&["requeue", "tenant = 1", "-y"]);
    assert!(back.contains("is done: 2 of 2 jobs changed"), "{back}");
    assert_eq!(state_of(&stage, jobs[1]).await, JobState::Ready);
    let soon = stage.text_of(&["retry", "tenant = 0", "--yes", "--rate", "100 per second"]);
    assert!(soon.contains("2 of 2 jobs changed"), "{soon}");
    assert_eq!(state_of(&stage, jobs[0]).await, JobState::Ready);

    let actions = stage.json_of(&["actions"]);
    assert_eq!(actions.as_array().unwrap().len(), 3);
    assert_eq!(
        (&actions[2]["asked_by"], &actions[2]["reason"]),
        (&json!("ada"), &json!("the customer has left"))
    );
    let id = actions[2]["id"].to_string();
    assert_eq!(stage.json_of(&["actions", &id])["filter"], "tenant = 1");
    let ran = stage.pgjobq(&["actions", &id, "--stop"]);
    assert_eq!((ran.code, ran.stderr), (1, format!("error: action {id} had ended already\n")));
    assert_eq!(stage.pgjobq(&["actions", "777"]).code, 3);
    for option in [&["--no-wait"][..], &["--rate", "1 per hour"]] {
        let ran = stage.pgjobq(&[&["cancel", &jobs[0].to_string()], option].concat());
        let said = "error: --rate and --no-wait are for a filter: leave them out with an id\n";
        assert_eq!((ran.code, &*ran.stderr), (2, said));
    }
    let ran = stage.pgjobq(&["cancel", "all", "--yes", "--rate", "many"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_action_is_stopped_before_its_end() {
    let stage = Stage::new().await;
    for n in 0..3 {
        cli_double::job(n).delay(HOUR).enqueue(&stage.client).await.unwrap();
    }
    let stored = stage.json_of(&["cancel", "all", "--yes", "--no-wait", "--rate", "1 per minute"]);
    assert_eq!(stored["state"], "running");
    let id = stored["id"].to_string();
    assert_eq!(stage.json_of(&["actions", &id, "--stop"])["state"], "stopped");
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_job_is_changed_without_confirmation() {
    let stage = Stage::new().await;
    let job = cli_double::job(1).delay(HOUR).enqueue(&stage.client).await.unwrap().id();
    let id = job.to_string();
    assert!(stage.text_of(&["retry", &id]).contains("1 of 1 job changed"));
    let again = stage.pgjobq(&["retry", &id]);
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("is ready: it waits for no time"), "{}", again.stderr);
    let cancelled = stage.json_of(&["cancel", &id, "--by", "ada", "--because", "so"]);
    assert_eq!(cancelled, json!({"job": id, "outcome": "cancelled"}));
    let status = stage.client.job(job).status().await.unwrap().unwrap();
    let asked = status.cancelled.unwrap();
    assert_eq!((&*asked.by, asked.reason.as_deref()), ("ada", Some("so")));
    let again = stage.pgjobq(&["cancel", &id]);
    assert_eq!(
        (again.code, again.stderr),
        (1, format!("error: job {id} has ended already: it is cancelled\n"))
    );
    let requeued = stage.json_of(&["requeue", &id, "--by", "ada", "--because", "it was not so"]);
    assert_eq!((&requeued["action"], &requeued["changed"]), (&json!("requeue"), &json!(1)));
    let action = stage.json_of(&["actions", &requeued["id"].to_string()]);
    assert_eq!((&action["asked_by"], &action["reason"]), (&json!("ada"), &json!("it was not so")));
    let again = stage.pgjobq(&["requeue", &id]);
    assert_eq!((again.code, again.stderr), (1, format!("error: job {id} has not ended\n")));
    let worker = stage.worker().await;
    let _ = stage.end_of(&cli_double::handle(job)).await;
    let dead = cli_die::enqueue(&stage.client, String::new()).await.unwrap();
    let _ = stage.end_of(&dead).await;
    worker.shutdown().await.unwrap();
    let again = stage.pgjobq(&["requeue", &id]);
    assert_eq!(
        (again.code, again.stderr),
        (1, format!("error: job {id} has completed: enqueue it anew instead\n"))
    );
    assert_eq!(stage.pgjobq(&["retry", &dead.id().to_string()]).code, 1);
    for command in ["retry", "cancel", "requeue"] {
        let ran = stage.pgjobq(&[command, "01980a5c-93f4-7b2e-8d11-6b5c0f7a2e9d"]);
        assert_eq!(ran.code, 3, "{command}: {}", ran.stderr);
    }
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pause_holds_until_it_is_resumed() {
    let stage = Stage::new().await;
    assert_eq!(stage.text_of(&["pause"]), "nothing is paused\n");
    let paused =
        stage.text_of(&["pause", "queue", "default", "--for", "2h", "--by", "ada", "--because", "a deploy"]);
    assert!(
        paused.starts_with("the queue `default` is paused by ada, because a deploy, until 2"),
        "{paused}"
    );
    stage.text_of(&["pause", "key", "tenant:42"]);
    let pauses = stage.json_of(&["pause"]);
    assert_eq!(pauses["pauses"].as_array().unwrap().len(), 2);
    assert_eq!((&pauses["pauses"][0]["by"], &pauses["pauses"][1]["until"]), (&json!("ada"), &Value::Null));
    assert_eq!(stage.text_of(&["resume", "queue", "default"]), "the queue `default` goes on\n");
    let ran = stage.pgjobq(&["resume", "queue", "default"]);
    assert_eq!((ran.code, &*ran.stderr), (1, "error: the queue `default` was not paused\n"));
    assert_eq!(stage.json_of(&["resume", "key", "tenant:42"]), json!({"scope": "key", "name": "tenant:42"}));
    for command in ["pause", "resume"] {
        let ran = stage.pgjobq(&[command, "queue", "mial"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (3, "error: queue `mial` does not exist\n"));
    }
    let ran = stage.pgjobq(&["pause", "queue", "default", "--until", "2001-01-01T00:00:00Z"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("a time that has passed"), "{}", ran.stderr);
    let ran = stage.pgjobq(&["pause", "queue", "default", "--for", "soon"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("write it as `90s`"), "{}", ran.stderr);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn enqueued_job_runs() {
    let stage = Stage::new().await;
    let ran = stage.pgjobq(&["enqueue", "cli_double", r#"{"number": 21}"#]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let job: JobId = ran.stdout.trim().parse().unwrap();
    let said = "warning: no live worker takes jobs of the kind `cli_double` in the queue `default`: ";
    assert!(ran.stderr.starts_with(said), "{}", ran.stderr);
    let worker = stage.worker().await;
    assert_eq!(stage.end_of(&cli_double::handle(job)).await, Outcome::Completed(42));
    let id = "01980a5c-93f4-7b2e-8d11-6b5c0f7a2e9d";
    let options = [
        "--id",
        id,
        "--delay",
        "1h",
        "--priority",
        "high",
        "--key",
        "k",
        "--attributes",
        r#"{"tenant": 42}"#,
    ];
    let delayed = [&["enqueue", "cli_double", r#"{"number": 1}"#], &options[..]].concat();
    let enqueued = json!({"job": id, "outcome": "new", "queue": "default", "warning": null});
    assert_eq!(stage.json_of(&delayed), enqueued);
    assert_eq!(stage.json_of(&delayed)["outcome"], "duplicate");
    let again = stage.pgjobq(&delayed);
    assert_eq!((again.code, again.stdout), (0, format!("{id}\n")));
    assert_eq!(again.stderr, format!("job {id} is live already: nothing was enqueued\n"));
    let job = stage.json_of(&["job", id]);
    assert_eq!(
        (&job["priority"], &job["key"], &job["attributes"]),
        (&json!("high"), &json!("k"), &json!({"tenant": 42}))
    );
    let mut child = command(&["--url", &stage.url(), "enqueue", "cli_double", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(br#"{"number": 4}"#).unwrap();
    let printed = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let job: JobId = printed.trim().parse().unwrap();
    assert_eq!(stage.end_of(&cli_double::handle(job)).await, Outcome::Completed(8));
    worker.shutdown().await.unwrap();
    for (arguments, code, said) in [
        (&["cli_double", "[1]"][..], 2, "must be a JSON object"),
        (&["cli_double", "{number: 1}"], 2, "json"),
        (&["a kind", "{}"], 2, "a kind is 1 to 100 letters"),
        (&["cli_double", "{}", "--queue", "mial"], 3, "there is no queue 'mial'"),
        (&["cli_double", "{}", "--priority", "urgent"], 2, "[possible values: low, normal, high, critical]"),
    ] {
        let ran = stage.pgjobq(&[&["enqueue"], arguments].concat());
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{arguments:?}: {}", ran.stderr);
    }
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn held_step_is_resumed_by_its_number() {
    let stage = Stage::new().await;
    let worker = stage.worker().await;
    let mut flow = Workflow::new("ingest");
    let failing = flow.add(cli_die::step("broken"));
    let held = flow.add(cli_double::step(21).after(&failing).hold_on_failure());
    let id = flow.enqueue(&stage.client).await.unwrap().id().to_string();
    stage.until("exists (select from pgjobq.job_states where state = 'held')").await;
    let job = stage.json_of(&["job", &held.handle().id().to_string()]);
    assert_eq!(job["step_of"]["workflow"], json!(id));
    let number = job["step_of"]["step"].to_string();
    let resumed = stage.pgjobq(&["workflows", &id, "--resume", &number]);
    assert_eq!(
        (resumed.code, resumed.stderr),
        (0, format!("step {number} runs as soon as it waits for nothing else\n"))
    );
    assert_eq!(stage.end_of(&held.handle()).await, Outcome::Completed(42));
    let again = stage.pgjobq(&["workflows", &id, "--resume", &number]);
    assert_eq!(
        (again.code, again.stderr),
        (1, format!("error: step {number} of workflow {id} is not held\n"))
    );
    worker.shutdown().await.unwrap();
    stage.drop().await;
}
