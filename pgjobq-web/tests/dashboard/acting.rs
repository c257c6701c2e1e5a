//! Each action does what it says, and is audited.

use axum::http::StatusCode;
use pgjobq::JobState;
use pgjobq_web::{User, router};

use crate::browser::Browser;
use crate::jobs::{hold, hold_without_output, seed};
use crate::stage::Stage;

fn as_ada(stage: &Stage) -> Browser {
    Browser::new(router(&stage.client).auth(async |_| Ok::<_, StatusCode>(User::administrator("ada"))))
}

async fn state(stage: &Stage, job: pgjobq::JobId) -> JobState {
    stage.client.job(job).status().await.unwrap().unwrap().state
}

#[tokio::test]
async fn action_on_what_does_not_exist_is_not_found() {
    Stage::run(async |stage| {
        let (browser, id) = (as_ada(stage), uuid::Uuid::new_v4().to_string());
        for (path, action) in [
            ("act-on-job", "cancel"),
            ("act-on-job", "requeue"),
            ("act-on-job", "retry_now"),
            ("act-on-workflow", "cancel"),
            ("act-on-workflow", "retry_failed"),
        ] {
            let answer = browser.post(path, &[("id", &*id), ("action", action)]).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path} {action}: {}", answer.text());
        }
    })
    .await;
}

#[tokio::test]
async fn actions_on_one_job_change_it() {
    Stage::run(async |stage| {
        let seeds = seed(stage, "lorem").await;
        let browser = as_ada(stage);
        let act = async |job: pgjobq::JobId, action: &str| {
            let fields = [("id", &*job.to_string()), ("action", action), ("reason", "why not")];
            let answer = browser.post("act-on-job", &fields).await;
            assert_eq!(answer.header("location"), format!("job?id={job}"), "{}", answer.body);
            let page = browser.get(answer.header("location")).await.text();
            assert!(!browser.get(answer.header("location")).await.body.contains("class=\"said\""));
            page
        };
        assert!(act(seeds.waiting, "cancel").await.contains("The job is cancelled."));
        assert_eq!(state(stage, seeds.waiting).await, JobState::Cancelled);
        assert!(act(seeds.dead, "requeue").await.contains("The job is in line again."));
        assert_eq!(state(stage, seeds.dead).await, JobState::Ready);
        assert!(act(seeds.scheduled, "retry_now").await.contains("as soon as a worker is free"));
        assert_eq!(state(stage, seeds.scheduled).await, JobState::Ready);
        assert!(act(seeds.completed, "cancel").await.contains("has ended already"));
        let cancelled = stage.client.job(seeds.waiting).status().await.unwrap().unwrap().cancelled.unwrap();
        assert_eq!((&*cancelled.by, cancelled.reason.as_deref()), ("ada", Some("why not")));
        let records = stage.client.audit_records(None, 10).await.unwrap();
        let said: Vec<_> =
            records.iter().map(|record| (&*record.by, &*record.action, record.outcome.is_some())).collect();
        assert_eq!(
            said,
            [
                ("ada", "cancel", true),
                ("ada", "retry_now", true),
                ("ada", "requeue", true),
                ("ada", "cancel", true)
            ]
        );
        assert_eq!(records[3].subject, format!("job {}", seeds.waiting));
        assert!(browser.get("audit").await.text().contains("why not"));
    })
    .await;
}

#[tokio::test]
async fn chosen_jobs_are_previewed_and_then_changed() {
    Stage::run(async |stage| {
        let seeds = seed(stage, "lorem").await;
        let browser = as_ada(stage);
        let preview = browser.get(&format!("preview?action=requeue&id={}", seeds.dead)).await;
        assert!(preview.text().contains("Requeue 1 job?"), "{}", preview.text());
        assert_eq!(state(stage, seeds.dead).await, JobState::Dead);
        let filter = preview.attributes("value").into_iter().find(|value| value.starts_with("id")).unwrap();
        let answer = browser
            .post("act", &[("action", "requeue"), ("filter", &filter), ("rate", "100 per second")])
            .await;
        let action = answer.header("location").to_owned();
        assert_eq!(action, "action?id=1", "{}", answer.body);
        assert!(browser.get(&action).await.text().contains("No worker runs"));
        let report = stage.client.action(pgjobq::ActionId(1)).wait().await.unwrap();
        assert_eq!((report.changed, &*report.asked_by), (1, "ada"));
        assert_eq!(state(stage, seeds.dead).await, JobState::Ready);
        assert!(browser.get(&action).await.text().contains("done"));
        let records = stage.client.audit_records(None, 10).await.unwrap();
        assert_eq!(
            (&*records[0].action, records[0].outcome.as_deref()),
            ("requeue_matching", Some("Action 1 has started."))
        );
    })
    .await;
}

#[tokio::test]
async fn all_matching_jobs_are_moved_and_stopped() {
    Stage::run(async |stage| {
        stage.execute("select pgjobq.create_queue('q'), pgjobq.create_queue('other')").await;
        stage.execute("select pgjobq.enqueue('k', '{}', 'q') from generate_series(1, 20)").await;
        let browser = as_ada(stage);
        let fields =
            [("action", "move_to"), ("queue", "other"), ("filter", "kind = 'k'"), ("rate", "1 per hour")];
        assert_eq!(browser.post("act", &fields).await.header("location"), "action?id=1");
        assert_eq!(browser.post("stop", &[("id", "1")]).await.header("location"), "action?id=1");
        assert!(browser.get("action?id=1").await.text().contains("stopped"));
        let fields = [("action", "set_priority"), ("priority", "high"), ("filter", "kind = 'k'")];
        assert_eq!(browser.post("act", &fields).await.header("location"), "action?id=2");
        assert_eq!(stage.client.action(pgjobq::ActionId(2)).wait().await.unwrap().changed, 20);
        let wrong = [("action", "move_to"), ("queue", "nope"), ("filter", "all")];
        let answer = browser.post("act", &wrong).await;
        assert!(
            answer.status == StatusCode::BAD_REQUEST && answer.text().contains("queue `nope` does not exist")
        );
        let failed = stage.client.audit_records(None, 1).await.unwrap().remove(0);
        assert!(failed.outcome.unwrap().starts_with("failed: queue `nope`"));
    })
    .await;
}

#[tokio::test]
async fn queues_and_kinds_are_paused_and_resumed() {
    Stage::run(async |stage| {
        stage.client.queue("mail").save().await.unwrap();
        let browser = as_ada(stage);
        let fields = [("scope", "queue"), ("name", "mail"), ("minutes", "5"), ("reason", "it rains")];
        assert_eq!(browser.post("pause", &fields).await.header("location"), "queue?name=mail");
        assert_eq!(
            browser.post("pause", &[("scope", "kind"), ("name", "k")]).await.header("location"),
            "kinds"
        );
        let pauses = stage.client.pauses().await.unwrap();
        assert_eq!((pauses.len(), &*pauses[0].by, pauses[0].reason.as_deref()), (2, "ada", Some("it rains")));
        assert!(pauses[0].until.is_some() && pauses[1].until.is_none());
        let page = browser.get("queue?name=mail").await.text();
        assert!(page.contains("Paused by ada") && page.contains("it rains"), "{page}");
        browser.post("resume", &[("scope", "queue"), ("name", "mail")]).await;
        browser.post("resume", &[("scope", "kind"), ("name", "k")]).await;
        assert!(stage.client.pauses().await.unwrap().is_empty());
        for minutes in ["0", "-1", "x", "99999999999"] {
            let fields = [("scope", "queue"), ("name", "mail"), ("minutes", minutes)];
            assert_eq!(browser.post("pause", &fields).await.status, StatusCode::BAD_REQUEST, "{minutes}");
        }
    })
    .await;
}

#[tokio::test]
async fn pause_is_seen_at_once_and_ends_the_warning() {
    Stage::run(async |stage| {
        stage.execute("select pgjobq.create_queue('q')").await;
        stage.execute("select pgjobq.enqueue('k', '{}', 'q')").await;
        let day = std::time::Duration::from_secs(86_400);
        let app = router(&stage.client).interval(day);
        let browser = Browser::new(app.auth(async |_| Ok::<_, StatusCode>(User::operator("bob"))));
        let (warning, fields) = ("No worker serves the queue", [("scope", "queue"), ("name", "q")]);
        assert!(browser.get("overview").await.text().contains(warning));
        browser.post("pause", &fields).await;
        let page = browser.get("overview").await;
        assert!(
            !page.text().contains(warning) && page.body.contains("Resume the queue q"),
            "{}",
            page.text()
        );
        browser.post("resume", &fields).await;
        let page = browser.get("overview").await;
        assert!(page.text().contains(warning) && page.body.contains("Pause the queue q"), "{}", page.text());
    })
    .await;
}

#[tokio::test]
async fn failed_steps_of_a_workflow_are_retried() {
    Stage::run(async |stage| {
        let seeds = seed(stage, "lorem").await;
        let browser = as_ada(stage);
        let id = seeds.workflow.to_string();
        browser.post("act-on-workflow", &[("id", &id), ("action", "retry_failed")]).await;
        let page = browser.get(&format!("workflow?id={id}")).await.text();
        assert!(page.contains("1 step is in line again."), "{page}");
        browser.post("act-on-workflow", &[("id", &id), ("action", "cancel"), ("reason", "enough")]).await;
        let page = browser.get(&format!("workflow?id={id}")).await.text();
        assert!(page.contains("The workers cancel the rest of the workflow."), "{page}");
        assert_eq!(stage.text("select reason from pgjobq.cancels where is_workflow").await, "enough");
    })
    .await;
}

#[tokio::test]
async fn held_step_is_found_and_resumed() {
    Stage::run(async |stage| {
        let id = hold(stage).await.to_string();
        let browser = as_ada(stage);
        let of_queue = browser.get("queue?name=default").await;
        let links = of_queue.attributes("href");
        let link = links.iter().find(|link| link.contains("blocked")).expect("the number is a link");
        assert!(browser.get(link).await.text().contains("keeps"), "held jobs are among the blocked: {link}");

        let page = browser.get(&format!("workflow?id={id}")).await;
        assert!(page.body.contains("aria-label=\"Resume the step held\""), "{}", page.body);
        let step = stage.text("select n from pgjobq.steps where name = 'held'").await;
        let resume = [("id", &*id), ("action", "resume"), ("step", &step)];
        let answer = browser.post("act-on-workflow", &resume).await;
        assert_eq!(answer.header("location"), format!("workflow?id={id}"));
        let page = browser.get(answer.header("location")).await;
        let said = format!("Step {step} runs as soon as it waits for nothing else.");
        assert!(page.text().contains(&said) && !page.body.contains("Resume the step"), "{}", page.body);
        assert_eq!(stage.text("select count(*) from pgjobq.jobs where ticket is not null").await, "1");
        browser.post("act-on-workflow", &resume).await;
        let records = stage.client.audit_records(None, 10).await.unwrap();
        let not_held = format!("Step {step} is not held.");
        assert_eq!(
            (&*records[0].action, &*records[0].subject, records[0].outcome.as_deref()),
            ("resume", &*format!("step {step} of workflow {id}"), Some(&*not_held))
        );
        let wrong = [("id", &*id), ("action", "release")];
        let answer = browser.post("act-on-workflow", &wrong).await;
        assert!(answer.text().contains("write cancel, retry_failed or resume"), "{}", answer.text());
    })
    .await;
}

#[tokio::test]
async fn held_step_without_its_argument_says_why_it_cannot_run() {
    Stage::run(async |stage| {
        let id = hold_without_output(stage).await.to_string();
        let browser = as_ada(stage);
        let resume = [("id", &*id), ("action", "resume"), ("step", "2")];
        let answer = browser.post("act-on-workflow", &resume).await;
        let (status, text) = (answer.status, answer.text());
        let why = "step 2 cannot run: it needs the output of its parent `breaks`";
        assert!(status == StatusCode::CONFLICT && text.contains(why), "{status}: {text}");
        let records = stage.client.audit_records(None, 1).await.unwrap();
        let outcome = records[0].outcome.as_deref().unwrap();
        assert!(outcome.starts_with(&format!("failed: {why}")), "{outcome}");
    })
    .await;
}
