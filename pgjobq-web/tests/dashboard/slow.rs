//! What takes long keeps nobody else waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use futures_util::future::join_all;
use pgjobq::filter::id;
use pgjobq::observe::{Statement, TelemetryHook};
use pgjobq::sqlx::postgres::PgPoolOptions;
use pgjobq::{ActionId, Client, JobState};
use pgjobq_web::{User, router};
use tokio::time::timeout;

use crate::browser::{Answer, Browser};
use crate::jobs::seed;
use crate::stage::Stage;

const LONG: Duration = Duration::from_secs(30);

/// Whose statements may take this long.
fn as_ada(stage: &Stage, limit: Duration) -> Browser {
    let day = Duration::from_secs(86_400);
    let app = router(&stage.client).statement_timeout(limit).interval(day);
    Browser::new(app.auth(async |_| Ok::<_, StatusCode>(User::administrator("ada"))))
}

/// Counts statements that measure the fleet.
struct Counter(Arc<AtomicUsize>);

impl TelemetryHook for Counter {
    fn on_statement(&self, statement: &Statement) {
        self.0.fetch_add(usize::from(statement.name.starts_with("fleet")), Ordering::SeqCst);
    }
}

#[tokio::test]
async fn action_on_a_locked_job_goes_on_without_its_user() {
    Stage::run(async |stage| {
        let job = seed(stage, "lorem").await.scheduled;
        let browser = as_ada(stage, LONG / 3);
        browser.get("overview").await; // The fleet is measured before the lock.
        let mut other = stage.client.pool().begin().await.unwrap();
        let lock = "lock table pgjobq.jobs in access exclusive mode";
        pgjobq::sqlx::raw_sql(lock).execute(&mut *other).await.unwrap();
        let id = job.to_string();
        let fields = [("id", &*id), ("action", "retry_now"), ("reason", "why not")];
        let answer = timeout(LONG, browser.post("act-on-job", &fields)).await.expect("it waits for the lock");
        assert_eq!(answer.header("location"), "action?id=1", "{}", answer.text());
        assert!(browser.get("action?id=1").await.text().contains("Action 1 goes on"));
        other.rollback().await.unwrap();
        let report = stage.client.action(ActionId(1)).wait().await.unwrap();
        assert_eq!(
            (report.changed, &*report.asked_by, report.reason.as_deref()),
            (1, "ada", Some("why not"))
        );
        assert_eq!(stage.client.job(job).status().await.unwrap().unwrap().state, JobState::Ready);
        let records = stage.client.audit_records(None, 1).await.unwrap();
        assert!(records[0].outcome.as_deref().unwrap().starts_with("Action 1 goes on"));
    })
    .await;
}

#[tokio::test]
async fn requeue_of_one_job_names_its_user() {
    Stage::run(async |stage| {
        let seeds = seed(stage, "lorem").await;
        let browser = as_ada(stage, LONG);
        let requeue = async |id: &str| {
            let fields = [("id", id), ("action", "requeue"), ("reason", "why not")];
            let answer = browser.post("act-on-job", &fields).await;
            browser.get(answer.header("location")).await.text()
        };
        let page = requeue(&seeds.dead.to_string()).await;
        assert!(page.contains("The job is in line again."), "{page}");
        let report = stage.client.action(ActionId(1)).progress().await.unwrap();
        assert_eq!(
            (&*report.action, &*report.asked_by, report.reason.as_deref()),
            ("requeue", "ada", Some("why not"))
        );
        let step = stage.text("select id from pgjobq.finished where kind = 'second'").await;
        for (id, said) in [
            (step, "The job is a step of a workflow, and was not changed"),
            (seeds.dead.to_string(), "There is nothing to requeue"),
            (seeds.completed.to_string(), "There is nothing to requeue"),
        ] {
            let page = requeue(&id).await;
            assert!(page.contains(said), "{said}: {page}");
        }
    })
    .await;
}

/// The user whom a header names.
async fn named(request: Parts) -> Result<User, StatusCode> {
    let name = request.headers.get("user").map_or("ada", |name| name.to_str().unwrap());
    Ok(User::administrator(name))
}

async fn get_as(browser: &Browser, user: &'static str, path: &'static str) -> Answer {
    browser.send(Method::GET, path, &[("user", user)], "").await
}

#[tokio::test]
async fn viewer_of_many_slow_screens_leaves_turns_to_others() {
    Stage::run(async |stage| {
        let pool =
            PgPoolOptions::new().max_connections(20).connect_with(stage.options.clone()).await.unwrap();
        let client = Client::new(pool.clone());
        let browser = Browser::new(router(&client).statement_timeout(LONG).auth(named));
        let mut other = stage.client.pool().begin().await.unwrap();
        let lock = "lock table pgjobq.workflows in access exclusive mode";
        pgjobq::sqlx::raw_sql(lock).execute(&mut *other).await.unwrap();
        let slow = join_all((0..8).map(|_| get_as(&browser, "eve", "workflows")));
        let waiting = "(select count(*) from pg_stat_activity
                         where datname = current_database() and wait_event_type = 'Lock')";
        let quick = async {
            stage.until(&format!("{waiting} > 0")).await;
            for path in ["audit", "kinds", "actions"] {
                assert_eq!(get_as(&browser, "ada", path).await.status, StatusCode::OK, "{path}");
            }
            assert_eq!(stage.text(waiting).await, "1", "screens of one user at once");
            other.rollback().await.unwrap();
        };
        let (slow, ()) = timeout(3 * LONG, async { tokio::join!(slow, quick) }).await.unwrap();
        assert!(slow.iter().all(|page| page.status == StatusCode::OK));
        client.close().await;
        pool.close().await;
    })
    .await;
}

#[tokio::test]
async fn slow_screens_keep_no_action_waiting() {
    Stage::run(async |stage| {
        stage.client.queue("mail").save().await.unwrap();
        let pool =
            PgPoolOptions::new().max_connections(20).connect_with(stage.options.clone()).await.unwrap();
        let client = Client::new(pool.clone());
        let day = Duration::from_secs(86_400);
        let app = router(&client).statement_timeout(LONG).interval(day);
        let browser = Browser::new(app.auth(named));
        browser.get("overview").await;
        let mut other = stage.client.pool().begin().await.unwrap();
        let lock = "lock table pgjobq.workflows in access exclusive mode";
        pgjobq::sqlx::raw_sql(lock).execute(&mut *other).await.unwrap();
        let users = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let slow = join_all(users.map(|user| get_as(&browser, user, "workflows")));
        let quick = async {
            let waiting = "(select count(*) = 4 from pg_stat_activity
                             where datname = current_database() and wait_event_type = 'Lock')";
            stage.until(waiting).await;
            for path in ["overview", "queues", "api/completions?filter=queue"] {
                assert_eq!(browser.get(path).await.status, StatusCode::OK, "{path}");
            }
            let paused = browser.post("pause", &[("scope", "queue"), ("name", "mail")]).await;
            assert_eq!(paused.header("location"), "queue?name=mail", "{}", paused.text());
            other.rollback().await.unwrap();
        };
        let (slow, ()) = timeout(3 * LONG, async { tokio::join!(slow, quick) }).await.unwrap();
        assert!(slow.iter().all(|page| page.status == StatusCode::OK));
        client.close().await;
        pool.close().await;
    })
    .await;
}

#[tokio::test]
async fn screens_of_jobs_need_no_statistics() {
    Stage::run(async |stage| {
        let seeds = seed(stage, "lorem").await;
        let action = stage.client.jobs(id(seeds.waiting)).cancel().start().await.unwrap();
        let counter = Arc::new(AtomicUsize::new(0));
        let hook = Counter(Arc::clone(&counter));
        let client = Client::builder(stage.client.pool().clone()).telemetry_hook(hook).build().unwrap();
        let app = router(&client).interval(Duration::from_secs(86_400)).open_to_everyone();
        let browser = Browser::new(app);
        stage.execute("alter function pgjobq.measure_database rename to measured_before").await;
        let action = format!("action?id={}", action.id());
        let paths =
            ["jobs", "schedules", "schedule?name=new_year", "preview?action=cancel&filter=all", &action];
        let began = Instant::now();
        for path in paths {
            let page = browser.get(path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text());
        }
        assert_eq!(browser.get("overview").await.status, StatusCode::SERVICE_UNAVAILABLE);
        client.close().await; // The hook has then seen all statements.
        let tries = counter.load(Ordering::SeqCst) as u64;
        let most = 1 + began.elapsed().as_secs() / 5;
        assert!((1..=most).contains(&tries), "{tries} tries, and a failure is kept for 5 seconds");
    })
    .await;
}

#[tokio::test]
async fn retry_of_a_busy_workflow_is_given_up_soon() {
    Stage::run(async |stage| {
        let flow = seed(stage, "lorem").await.workflow.to_string();
        let browser = as_ada(stage, Duration::from_secs(2));
        // An end of a step that no worker has settled yet.
        stage
            .execute(
                "insert into pgjobq.unsettled (shard, workflow, n) select shard, id, 0 from pgjobq.workflows",
            )
            .await;
        let fields = [("id", &*flow), ("action", "retry_failed")];
        let retry = browser.post("act-on-workflow", &fields);
        let answer = timeout(Duration::from_secs(15), retry).await.expect("it waits for a worker");
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
        assert!(answer.text().contains("cannot be retried now"), "{}", answer.text());
    })
    .await;
}
