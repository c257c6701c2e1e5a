//! Who asked for what.

use pgjobq::prelude::*;
use pgjobq::sqlx::{self, Connection as _, PgConnection};
use serde_json::{Value, json};

use crate::doctor_killed::{GONE, WAITS};
use crate::stage::{HOUR, Stage, cli_die, cli_double};

#[job]
async fn cli_recorded() {}

/// The latest record: who asked for what, why, and its outcome.
fn latest(stage: &Stage) -> [Value; 5] {
    let record = stage.json_of(&["audit", "--limit", "1"])["records"][0].clone();
    ["asked_by", "action", "subject", "reason", "outcome"].map(|member| record[member].clone())
}

const ADA: [&str; 4] = ["--by", "ada", "--because", "so"];

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_schedules_are_recorded() {
    let stage = Stage::new().await;
    stage.client.schedules().upsert("report", cli_recorded::schedule("0 9 * * *")).await.unwrap();
    for (change, action) in [("--pause", "pause"), ("--resume", "resume"), ("--remove", "remove")] {
        stage.text_of(&[&["schedules", "report", change], &ADA[..]].concat());
        assert_eq!(latest(&stage), ["ada", action, "schedule report", "so", "done"].map(Value::from));
    }
    let ran = stage.pgjobq(&["schedules", "report", "--run-now"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let [by, action, _, reason, outcome] = latest(&stage);
    assert_eq!(
        (by, action, reason),
        (stage.text("current_user").await.into(), json!("run_now"), Value::Null)
    );
    assert!(outcome.as_str().unwrap().starts_with("failed: there is no schedule `report`"), "{outcome}");
    stage.client.schedules().upsert("report", cli_recorded::schedule("0 9 * * *")).await.unwrap();
    let job = stage.text_of(&["schedules", "report", "--run-now", "--by", "ada"]);
    let enqueued = format!("enqueued job {}", job.trim());
    let record = [json!("ada"), "run_now".into(), "schedule report".into(), Value::Null, enqueued.into()];
    assert_eq!(latest(&stage), record);
    assert_eq!(stage.pgjobq(&["schedules", "report", "--by", "ada"]).code, 2);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pauses_and_stops_are_recorded() {
    let stage = Stage::new().await;
    stage.text_of(&[&["pause", "queue", "default"], &ADA[..]].concat());
    assert_eq!(
        latest(&stage),
        ["ada", "pause", "queue default", "so", "the queue is paused"].map(Value::from)
    );
    stage.text_of(&[&["resume", "queue", "default"], &ADA[..]].concat());
    assert_eq!(
        latest(&stage),
        ["ada", "resume", "queue default", "so", "the queue goes on"].map(Value::from)
    );
    cli_double::job(1).delay(HOUR).enqueue(&stage.client).await.unwrap();
    cli_double::job(2).delay(HOUR).enqueue(&stage.client).await.unwrap();
    let started = stage.json_of(&["cancel", "all", "--yes", "--no-wait", "--rate", "1 per hour"]);
    let id = started["id"].to_string();
    stage.text_of(&[&["actions", &id, "--stop"], &ADA[..]].concat());
    let stop = ["ada", "stop", &format!("action {id}"), "so", "the action is stopped"].map(Value::from);
    assert_eq!(latest(&stage), stop);
    let ran = stage.pgjobq(&["actions", &id, "--stop"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(latest(&stage)[4], format!("failed: action {id} had ended already"));
    let text = stage.text_of(&["audit"]);
    assert!(text.lines().nth(1).unwrap().contains(&format!("stop    action {id}")), "{text}");
    let page = stage.json_of(&["audit", "--limit", "1"]);
    let rest = stage.json_of(&["audit", "--before", &page["next"].to_string()]);
    assert!(!rest["records"].as_array().unwrap().is_empty(), "{rest}");
    assert_eq!(rest["next"], Value::Null);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_workflows_are_recorded() {
    let stage = Stage::new().await;
    let worker = stage.worker().await;
    let mut flow = Workflow::new("ingest");
    let failing = flow.add(cli_die::step("broken"));
    let held = flow.add(cli_double::step(21).after(&failing).hold_on_failure());
    let id = flow.enqueue(&stage.client).await.unwrap().id().to_string();
    stage.until("exists (select from pgjobq.job_states where state = 'held')").await;
    let step = stage.json_of(&["job", &held.handle().id().to_string()])["step_of"]["step"].to_string();
    stage.text_of(&[&["workflows", &id, "--resume", &step], &ADA[..]].concat());
    let subject = format!("step {step} of workflow {id}");
    assert_eq!(latest(&stage)[..4], ["ada", "resume", &subject, "so"].map(Value::from));
    let _ = stage.end_of(&held.handle()).await;
    stage.until("exists (select from pgjobq.workflows where outcome = 'failed')").await;
    let ran = stage.pgjobq(&[&["workflows", &id, "--retry-failed"], &ADA[..]].concat());
    assert_eq!((ran.code, &*ran.stderr), (0, "1 step runs again\n"));
    let record = ["ada", "retry_failed", &format!("workflow {id}"), "so", "1 step runs again"];
    assert_eq!(latest(&stage), record.map(Value::from));
    worker.shutdown().await.unwrap();
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_command_leaves_a_record_without_an_outcome() {
    let stage = Stage::new().await;
    let mut lock = PgConnection::connect(&stage.url()).await.unwrap();
    sqlx::raw_sql("begin; lock table pgjobq.pauses").execute(&mut lock).await.unwrap();
    let mut pause = stage.start(&[&["pause", "queue", "default"], &ADA[..]].concat());
    stage.until(WAITS).await;
    pause.kill().unwrap();
    pause.wait().unwrap();
    lock.close().await.unwrap(); // The server may go on with the pause.
    stage.until(GONE).await;
    let asked = ["ada", "pause", "queue default", "so"].map(Value::from);
    assert_eq!(latest(&stage)[..4], asked);
    assert_eq!(latest(&stage)[4], Value::Null);
    stage.drop().await;
}
