//! Commands that only look.

use std::collections::BTreeSet;

use pgjobq::prelude::*;
use serde_json::json;

use crate::stage::{HOUR, Stage, cli_die, cli_double};

#[tokio::test(flavor = "multi_thread")]
async fn stats_show_queues_pauses_and_missing_workers() {
    let stage = Stage::new().await;
    stage.client.queue("mail").save().await.unwrap();
    for _ in 0..3 {
        cli_double::job(1).queue("mail").enqueue(&stage.client).await.unwrap();
    }
    stage.client.kind("cli_die").pause().by("ada").because("it floods us").await.unwrap();
    let text = stage.text_of(&["stats"]);
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("QUEUE    READY  RUNNING"), "{text}");
    assert!(lines[1].starts_with("default      0        0"), "{text}");
    assert!(lines[2].starts_with("mail         3        0"), "{text}");
    assert!(text.contains("no live worker serves the queue `mail`"), "{text}");
    assert!(text.contains("the kind `cli_die` is paused by ada, because it floods us"), "{text}");
    let one = stage.json_of(&["stats", "mail"]);
    assert_eq!(one["queues"].as_array().unwrap().len(), 1);
    assert_eq!((&one["queues"][0]["ready"], &one["queues"][0]["exact"]), (&json!(3), &json!(true)));
    assert_eq!(one["pauses"][0]["reason"], "it floods us");
    let ran = stage.pgjobq(&["stats", "mial"]);
    assert_eq!(ran.code, 3);
    assert_eq!(ran.stderr, "error: queue `mial` does not exist; there are `default`, `mail`\n");
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_listed_page_by_page() {
    let stage = Stage::new().await;
    let mut enqueued = BTreeSet::new();
    for n in 0..7 {
        let job = cli_double::job(n).attribute("tenant", n % 2).enqueue(&stage.client).await.unwrap();
        enqueued.insert(job.id().to_string());
    }
    let (mut listed, mut after) = (BTreeSet::new(), None::<String>);
    loop {
        let mut arguments = vec!["jobs", "kind = 'cli_double'", "--limit", "3"];
        if let Some(place) = &after {
            arguments.extend(["--after", place]);
        }
        let page = stage.json_of(&arguments);
        let ids: Vec<_> =
            page["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap()).collect();
        assert!(ids.len() <= 3);
        listed.extend(ids.iter().map(|id| (*id).to_owned()));
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, enqueued);
    assert_eq!(stage.json_of(&["jobs", "tenant = 1", "--count"]), json!({"jobs": 3, "exact": true}));
    assert_eq!(stage.text_of(&["jobs", "tenant = 0", "--count"]), "4\n");
    let ran = stage.pgjobq(&["jobs", "--limit", "2"]);
    assert_eq!(ran.stdout.lines().count(), 3, "{}", ran.stdout);
    assert!(ran.stderr.starts_with("there may be more: --after '("), "{}", ran.stderr);
    assert_eq!(stage.text_of(&["jobs", "tenant = 5"]).lines().count(), 1);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn job_is_shown_with_exact_numbers_and_failures() {
    let stage = Stage::new().await;
    let worker = stage.worker().await;
    let big = cli_double::enqueue(&stage.client, u64::MAX / 2).await.unwrap();
    let _ = stage.end_of(&big).await;
    let dead = cli_die::enqueue(&stage.client, "no such account".to_owned()).await.unwrap();
    let _ = stage.end_of(&dead).await;
    worker.shutdown().await.unwrap();
    let text = stage.text_of(&["job", &big.id().to_string()]);
    assert!(text.contains("arguments   {\"number\": 9223372036854775807}\n"), "{text}");
    assert!(text.contains("result      18446744073709551614\n"), "{text}");
    // Beyond the integers of most languages: the text itself has each digit.
    stage.run_sql("update pgjobq.finished set output = '123456789012345678901234567890' where outcome = 'completed'").await;
    let printed = stage.text_of(&["job", &big.id().to_string(), "--json"]);
    assert!(printed.contains("\"output\": 123456789012345678901234567890,"), "{printed}");
    let dead = dead.id().to_string();
    let text = stage.text_of(&["job", &dead]);
    assert!(text.contains("state       dead\n") && text.contains(": error: no such account\n"), "{text}");
    let json = stage.json_of(&["job", &dead]);
    assert_eq!((&json["state"], &json["errors"][0]["message"]), (&json!("dead"), &json!("no such account")));
    assert_eq!(json["explanation"]["reasons"][0]["code"], "dead");
    let listed = stage.json_of(&["dead", "--kind", "cli_die"]);
    assert_eq!(
        (&listed[0]["id"], &listed[0]["args"]),
        (&json!(dead), &json!({"message": "no such account"}))
    );
    assert!(stage.text_of(&["dead"]).contains("no such account"));
    assert!(stage.text_of(&["dead", "--errors"]).contains("  attempt 1: error: no such account\n"));
    assert_eq!(stage.json_of(&["dead", "--queue", "attic"]), json!([]));
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn explanation_names_the_cause() {
    let stage = Stage::new().await;
    let job = cli_double::job(1).delay(HOUR).enqueue(&stage.client).await.unwrap().id().to_string();
    assert!(stage.text_of(&["explain", &job]).contains("scheduled"), "{}", stage.text_of(&["explain", &job]));
    assert_eq!(stage.json_of(&["explain", &job])["reasons"][0]["code"], "scheduled");
    for command in ["explain", "job"] {
        let ran = stage.pgjobq(&[command, "01980a5c-93f4-7b2e-8d11-6b5c0f7a2e9d"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{}", ran.stderr);
        let ran = stage.pgjobq(&[command, "7"]);
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.contains("a job's id is a UUID"), "{}", ran.stderr);
    }
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn step_is_shown_with_its_workflow_and_number() {
    let stage = Stage::new().await;
    let mut flow = Workflow::new("ingest");
    let first = flow.add(cli_double::step(21));
    let second = flow.add(cli_double::step(first.output()));
    let flow = flow.enqueue(&stage.client).await.unwrap().id().to_string();
    let id = second.handle().id().to_string();
    let graph = stage.json_of(&["workflows", &flow, "--graph"]);
    let of_graph = graph["steps"].as_array().unwrap().iter().find(|step| step["job"] == json!(id)).unwrap();
    let step_of = json!({"workflow": flow, "step": of_graph["n"]});
    for command in ["job", "explain"] {
        assert_eq!(stage.json_of(&[command, &id])["step_of"], step_of, "{command}");
        let text = stage.text_of(&[command, &id]);
        assert!(text.contains(&format!("{} of the workflow {flow}", of_graph["n"])), "{text}");
    }
    let alone = cli_double::job(1).delay(HOUR).enqueue(&stage.client).await.unwrap().id().to_string();
    assert_eq!(stage.json_of(&["explain", &alone])["step_of"], json!(null));
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_of_explanations_are_rfc_3339() {
    let stage = Stage::new().await;
    let job = cli_double::job(1).delay(HOUR).enqueue(&stage.client).await.unwrap().id().to_string();
    let run_at = stage.json_of(&["job", &job])["run_at"].clone();
    let explained = stage.json_of(&["explain", &job]);
    assert_eq!(explained["reasons"][0]["details"]["until"], run_at);
    assert_eq!(stage.json_of(&["job", &job])["explanation"], explained);
    stage.client.queue("default").pause().await.unwrap();
    stage.text_of(&["retry", &job]);
    let explained = stage.json_of(&["explain", &job]);
    let pauses = stage.json_of(&["pause"]);
    assert_eq!(explained["reasons"][0]["details"]["since"], pauses["pauses"][0]["since"], "{explained:#}");
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reason_of_a_cancel_is_no_error() {
    let stage = Stage::new().await;
    let job = cli_double::job(1).delay(HOUR).enqueue(&stage.client).await.unwrap().id().to_string();
    stage.text_of(&["cancel", &job, "--by", "ada", "--because", "a wrong recipient"]);
    let listed = stage.json_of(&["jobs"]);
    assert_eq!(
        (&listed["jobs"][0]["error"], &listed["jobs"][0]["cancelled_for"]),
        (&json!(null), &json!("a wrong recipient"))
    );
    let text = stage.text_of(&["jobs"]);
    let [head, line] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    assert_eq!(line.find("a wrong recipient"), head.find("CANCELLED FOR"), "{text}");
    let text = stage.text_of(&["job", &job]);
    assert!(text.contains("\ncancelled   by ada at 2") && text.contains("Z: a wrong recipient\n"), "{text}");
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workflow_is_listed_shown_and_drawn() {
    let stage = Stage::new().await;
    let mut flow = Workflow::new("ingest");
    let first = flow.add(cli_double::step(21));
    flow.add(cli_double::step(first.output()).named("again"));
    let id = flow.enqueue(&stage.client).await.unwrap().id().to_string();
    assert!(stage.text_of(&["workflows"]).contains("ingest  runs"), "{}", stage.text_of(&["workflows"]));
    let listed = stage.json_of(&["workflows"]);
    assert_eq!((&listed[0]["id"], &listed[0]["live"]), (&json!(id), &json!(2)));
    assert!(stage.text_of(&["workflows", &id]).contains("`ingest` runs: 1 blocked, 1 ready\n"));
    let graph = stage.text_of(&["workflows", &id, "--graph"]);
    assert!(graph.starts_with("flowchart TD\n") && graph.contains("again"), "{graph}");
    assert_eq!(stage.text_of(&["workflows", "--graph", &id]), graph, "the id is not its form");
    assert!(stage.text_of(&["workflows", &id, "--graph=dot"]).starts_with("digraph"));
    let graph = stage.json_of(&["workflows", &id, "--graph"]);
    assert_eq!((&graph["workflow"], graph["edges"].as_array().unwrap().len()), (&json!("ingest"), 1));
    let cancelled = stage.pgjobq(&["workflows", &id, "--cancel", "--by", "ada", "--because", "so"]);
    assert_eq!((cancelled.code, &*cancelled.stderr), (0, "the request is stored: workers carry it out\n"));
    assert_eq!(stage.text("select concat_ws(' ', asked_by, reason) from pgjobq.cancels").await, "ada so");
    let ran = stage.pgjobq(&["workflows", "01980a5c-93f4-7b2e-8d11-6b5c0f7a2e9d"]);
    assert_eq!(ran.code, 3);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_controls_no_terminal() {
    let stage = Stage::new().await;
    let worker = stage.worker().await;
    let hostile = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\u{202e}evil";
    let job = cli_die::job(hostile.to_owned()).key(hostile).attribute(hostile, hostile);
    let job = job.enqueue(&stage.client).await.unwrap();
    let _ = stage.end_of(&job).await;
    worker.shutdown().await.unwrap();
    stage.client.key(hostile).pause().because(hostile).await.unwrap();
    let id = job.id().to_string();
    for arguments in [
        &["job", &id][..],
        &["jobs"],
        &["dead"],
        &["dead", "--errors"],
        &["stats"],
        &["pause"],
        &["explain", &id],
    ] {
        let text = stage.text_of(arguments);
        let odd: Vec<_> =
            text.chars().filter(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}').collect();
        assert!(odd.is_empty(), "{arguments:?}: {text:?}");
    }
    let ran = stage.pgjobq(&["stats", hostile]);
    assert!(!ran.stderr.contains('\u{1b}'), "{:?}", ran.stderr);
    stage.drop().await;
}
