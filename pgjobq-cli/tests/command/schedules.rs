//! Schedules are listed, shown and changed.

use pgjobq::prelude::*;
use pgjobq::{Missed, Overlap};
use serde_json::{Value, json};

use crate::stage::{Stage, pgjobq};

#[job]
async fn cli_report(tenant: u64, note: Option<String>) -> Result<()> {
    let _ = (tenant, note);
    Ok(())
}

/// The largest number that JSON readers often round.
const TENANT: u64 = u64::MAX;

async fn with_report() -> Stage {
    let stage = Stage::new().await;
    let report = cli_report::schedule("0 9 * * MON-FRI", TENANT, None).timezone("Europe/Berlin");
    let report = report.missed(Missed::RunOnce).overlap(Overlap::Skip);
    stage.client.schedules().upsert("report/42", report).await.unwrap();
    stage
}

fn runs(schedule: &Value) -> Vec<&str> {
    schedule["next_runs"].as_array().unwrap().iter().map(|run| run.as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_list_explains_when_schedules_appear() {
    let stage = Stage::new().await;
    let said = "no schedules; those in code appear when a worker that has them starts\n";
    assert_eq!(stage.text_of(&["schedules"]), said);
    assert_eq!(stage.json_of(&["schedules"]), json!([]));
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_are_listed_and_shown() {
    let stage = with_report().await;
    let listed = stage.text_of(&["schedules"]);
    let line: Vec<_> = listed.lines().nth(1).unwrap().split("  ").filter(|cell| !cell.is_empty()).collect();
    assert_eq!(
        line[..5],
        ["report/42", "cli_report", "0 9 * * MON-FRI", "Europe/Berlin", "active"],
        "{listed}"
    );
    let listed = stage.json_of(&["schedules", "--next", "2"]);
    assert_eq!((listed.as_array().unwrap().len(), runs(&listed[0]).len()), (1, 2));
    let shown = stage.json_of(&["schedules", "report/42", "--next", "20"]);
    assert_eq!((&shown["missed"], &shown["overlap"]), (&json!("run_once"), &json!("skip")));
    assert_eq!(
        (&shown["state"], &shown["since"], &shown["last_job"]),
        (&json!("active"), &Value::Null, &Value::Null)
    );
    assert_eq!(shown["args"]["tenant"], json!(TENANT));
    let next = runs(&shown);
    assert!(next.len() == 20 && next.windows(2).all(|pair| pair[0] < pair[1]), "{next:?}");
    // Nine in Berlin, in winter and in summer.
    assert!(
        next.iter().all(|run| run[10..] == *"T08:00:00.000000Z" || run[10..] == *"T07:00:00.000000Z"),
        "{next:?}"
    );
    let text = stage.text_of(&["schedules", "report/42"]);
    assert_eq!(text.lines().filter(|line| line.starts_with("next run ")).count(), 5, "{text}");
    assert!(text.contains(&format!("\"tenant\": {TENANT}")) && text.contains("overlap     skip\n"), "{text}");
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schedule_is_paused_resumed_run_and_removed() {
    let stage = with_report().await;
    let paused = stage.json_of(&["schedules", "report/42", "--pause"]);
    assert_eq!(
        (&paused["state"], runs(&paused).len(), paused["since"].is_string()),
        (&json!("paused"), 0, true)
    );
    let run = stage.text_of(&["schedules", "report/42", "--run-now"]);
    let job: JobId = run.trim().parse().unwrap();
    assert_eq!(stage.client.job(job).status().await.unwrap().unwrap().kind, "cli_report");
    assert_eq!(stage.json_of(&["schedules", "report/42", "--run-now"])["schedule"], "report/42");
    assert_eq!(stage.text("select count(*) from pgjobq.jobs").await, "2");
    let resumed = stage.text_of(&["schedules", "report/42", "--resume"]);
    assert!(resumed.contains("state       active\n"), "{resumed}");
    let again = stage.pgjobq(&["schedules", "report/42", "--resume"]);
    assert_eq!((again.code, &*again.stderr), (1, "error: the schedule `report/42` was not paused\n"));
    assert_eq!(
        stage.text_of(&["schedules", "report/42", "--remove"]),
        "the schedule `report/42` is removed\n"
    );
    assert_eq!(stage.json_of(&["schedules"]), json!([]));
    for change in ["--next=1", "--pause", "--resume", "--run-now", "--remove"] {
        let ran = stage.pgjobq(&["schedules", "report/42", change]);
        let said = "error: there is no schedule `report/42`: `pgjobq schedules` lists all of them; one in code appears when a worker that \
                    has it starts\n";
        assert_eq!((ran.code, ran.stderr.as_str()), (3, said), "{change}");
    }
    let ran = pgjobq(&["schedules", "--pause"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn removed_schedule_follows_the_code_again() {
    let stage = with_report().await;
    stage
        .run_sql(
            "update pgjobq.schedules set code = stored;
             select pgjobq.record_schedules(jsonb_build_array(jsonb_build_object('name', name, 'digest', 'd', 'definition', code)))
               from pgjobq.schedules;
             select pgjobq.register_worker(0::smallint, 1, 'w', '1 day', '{default}', '{cli_report}', p_schedules => '{d}')",
        )
        .await;
    let of_code = stage.json_of(&["schedules", "report/42", "--remove"]);
    assert_eq!((&of_code["name"], &of_code["set_by"]), (&json!("report/42"), &Value::Null));
    let ran = stage.pgjobq(&["schedules", "report/42", "--remove"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("is in the code of running workers: `pgjobq schedules report/42 --pause`"),
        "{}",
        ran.stderr
    );
    // Its program is gone, and its job function may be deleted.
    stage.run_sql("select pgjobq.leave(0::smallint, 1)").await;
    let shown = stage.text_of(&["schedules", "report/42"]);
    assert!(shown.contains("set         in the code of no running worker\n"), "{shown}");
    let removed = stage.text_of(&["schedules", "report/42", "--remove"]);
    assert_eq!(removed, "the schedule `report/42` is removed\n");
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schedule_that_can_never_fire_is_broken() {
    let stage = with_report().await;
    stage
        .run_sql("update pgjobq.schedules set stored = jsonb_set(stored, '{text}', '\"each blue moon\"')")
        .await;
    let shown = stage.json_of(&["schedules", "report/42"]);
    assert_eq!((&shown["state"], &shown["queue"]), (&json!("broken"), &json!("default")));
    let problem = shown["problem"].as_str().unwrap();
    assert!(problem.contains("each blue moon"), "{problem}");
    let text = stage.text_of(&["schedules", "report/42"]);
    for line in ["queue       default\n", "state       broken\n", &format!("problem     {problem}\n")] {
        assert!(text.contains(line), "{line}: {text}");
    }
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn observer_sees_schedules_and_changes_none() {
    let stage = with_report().await;
    stage.run_sql(&stage.text_of(&["grants", "--role", "observer"])).await;
    let name = format!("pgjobq_cli_{}", JobId::new().as_uuid().simple());
    stage.run_sql(&format!("create role {name} login; grant pgjobq_observer to {name}")).await;
    let url = stage.url_of(&name);
    assert_eq!(pgjobq(&["--url", &url, "schedules", "report/42"]).code, 0);
    for change in ["--pause", "--resume", "--run-now", "--remove"] {
        let ran = pgjobq(&["--url", &url, "schedules", "report/42", change]);
        assert_eq!(ran.code, 1, "{change}");
        assert!(ran.stderr.contains("`pgjobq grants --role …`"), "{change}: {}", ran.stderr);
    }
    assert_eq!(stage.json_of(&["schedules", "report/42"])["state"], "active");
    stage.drop_role(&name).await;
    stage.drop().await;
}
