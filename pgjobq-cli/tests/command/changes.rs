//! Waiting jobs are changed, and ended ones deleted.

use serde_json::json;

use crate::stage::{HOUR, Stage, cli_double, pgjobq};

#[tokio::test(flavor = "multi_thread")]
async fn delete_shows_the_count_and_needs_yes() {
    let stage = Stage::new().await;
    let worker = stage.worker().await;
    for n in 0..3 {
        let job = cli_double::job(n).attribute("tenant", n % 2).enqueue(&stage.client).await.unwrap();
        let _ = stage.end_of(&job).await;
    }
    worker.shutdown().await.unwrap();
    cli_double::job(4).attribute("tenant", 0).delay(HOUR).enqueue(&stage.client).await.unwrap();
    let ran = stage.pgjobq(&["delete", "tenant = 0"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("delete of 2 jobs: tenant = 0\n"), "{}", ran.stdout);
    assert_eq!(stage.json_of(&["jobs", "--count"])["jobs"], 4);
    let deleted = stage.json_of(&["delete", "tenant = 0", "--yes", "--by", "ada", "--because", "they left"]);
    assert_eq!((&deleted["action"], &deleted["changed"]), (&json!("delete"), &json!(2)));
    assert_eq!((&deleted["asked_by"], &deleted["reason"]), (&json!("ada"), &json!("they left")));
    assert_eq!(stage.json_of(&["jobs", "--count"])["jobs"], 2);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_ended_job_is_deleted() {
    let stage = Stage::new().await;
    let job = cli_double::job(1).delay(HOUR).enqueue(&stage.client).await.unwrap().id().to_string();
    let ran = stage.pgjobq(&["delete", &job]);
    let said = format!("error: job {job} has not ended: `pgjobq cancel` ends it\n");
    assert_eq!((ran.code, ran.stderr), (1, said));
    stage.text_of(&["cancel", &job]);
    let ran = stage.pgjobq(&["delete", &job, "--no-wait"]);
    assert!(ran.code == 2 && ran.stderr.contains("leave them out with an id"), "{}", ran.stderr);
    assert!(stage.text_of(&["delete", &job]).contains("(delete) is done: 1 of 1 job changed"));
    assert_eq!(stage.pgjobq(&["delete", &job]).code, 3);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_jobs_get_another_priority_queue_or_time() {
    let stage = Stage::new().await;
    stage.client.queue("slow").save().await.unwrap();
    let job = cli_double::job(1).delay(HOUR).enqueue(&stage.client).await.unwrap().id().to_string();
    cli_double::job(2).delay(HOUR).enqueue(&stage.client).await.unwrap();
    let ran = stage.pgjobq(&["change", "all", "--priority", "low"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert_eq!(stage.json_of(&["change", "all", "--priority", "low", "--yes"])["changed"], 2);
    assert_eq!(stage.json_of(&["change", &job, "--queue", "slow", "--by", "ada"])["asked_by"], "ada");
    stage.text_of(&["change", &job, "--run-at", "2001-01-01T00:00:00Z"]);
    let changed = stage.json_of(&["job", &job]);
    assert_eq!(
        (&changed["priority"], &changed["queue"], &changed["state"]),
        (&json!("low"), &json!("slow"), &json!("ready"))
    );
    let ran = stage.pgjobq(&["change", &job, "--priority", "low"]);
    assert_eq!((ran.code, ran.stderr), (1, format!("error: job {job} was not changed: it is so already\n")));
    let ran = stage.pgjobq(&["change", &job, "--queue", "mial"]);
    assert_eq!((ran.code, &*ran.stderr), (3, "error: queue `mial` does not exist\n"));
    stage.text_of(&["cancel", &job]);
    let ran = stage.pgjobq(&["change", &job, "--queue", "default"]);
    assert_eq!((ran.code, ran.stderr), (1, format!("error: job {job} has ended already: it is cancelled\n")));
    for arguments in [&["change", "all"][..], &["change", "all", "--priority", "low", "--queue", "slow"]] {
        let ran = pgjobq(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
    }
    stage.drop().await;
}

/// Each command that is advised exists.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_state_is_answered_with_another_command() {
    let stage = Stage::new().await;
    for (arguments, advice) in [
        (&["cancel", "state = 'dead'"][..], "`delete` removes jobs that have"),
        (&["delete", "state = 'ready'"], "`cancel` ends jobs"),
        (&["requeue", "state = 'ready'"], "`retry` lets jobs run at once"),
        (&["retry", "state = 'dead'"], "`requeue` puts dead"),
        (&["change", "state = 'dead'", "--priority", "low"], "`requeue` puts dead"),
    ] {
        let ran = stage.pgjobq(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}");
        assert!(ran.stderr.contains(advice), "{arguments:?}: {}", ran.stderr);
        let command = advice.split('`').nth(1).unwrap();
        assert_eq!(pgjobq(&[command, "--help"]).code, 0, "{command}");
    }
    stage.drop().await;
}
