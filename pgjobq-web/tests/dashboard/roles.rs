//! The printed roles of observers and administrators suffice for the dashboard.

use axum::http::StatusCode;
use pgjobq::sqlx::postgres::PgPoolOptions;
use pgjobq::{Client, JobState, SchemaRole, grants_sql};
use pgjobq_web::router;

use crate::browser::Browser;
use crate::jobs::{SCHEDULE, seed};
use crate::permissions::actions;
use crate::stage::Stage;

/// Runs a test with the client of a new role, which may do what this one may, and nothing else.
pub(crate) async fn as_member(stage: &Stage, of: Option<SchemaRole>, test: impl AsyncFnOnce(&Client)) {
    let name = format!("pgjobq_web_{}", uuid::Uuid::new_v4().simple());
    stage.execute(&format!("create role {name} login")).await;
    if let Some(of) = of {
        stage.execute("revoke execute on all functions in schema pgjobq from public").await;
        stage.execute(&grants_sql("pgjobq", of).unwrap()).await;
        stage.execute(&format!("grant {of} to {name}")).await;
    }
    let options = stage.options.clone().username(&name);
    let pool = PgPoolOptions::new().max_connections(5).connect_with(options).await.unwrap();
    let client = Client::new(pool.clone());
    test(&client).await;
    client.close().await;
    pool.close().await;
    stage
        .execute(&format!(
            "select pg_terminate_backend(pid, 60000) from pg_stat_activity where usename = '{name}';
             drop owned by {name} cascade; drop role {name}"
        ))
        .await;
}

#[tokio::test]
async fn observer_sees_each_screen_and_changes_nothing() {
    Stage::run(async |stage| {
        let seeds = seed(stage, "lorem").await;
        as_member(stage, Some(SchemaRole::Observer), async |client| {
            let browser = Browser::new(router(client).open_to_everyone());
            for path in seeds.screens() {
                let page = browser.get(&path).await;
                assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text());
            }
            for (path, fields, _) in actions() {
                let answer = browser.post(path, &fields).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {fields:?}: {}", answer.text());
                assert!(answer.text().contains("the database role may not do this"), "{}", answer.text());
            }
        })
        .await;
        assert_eq!(stage.text("select count(*) from pgjobq.audit").await, "0");
        assert_eq!(stage.text("select count(*) from pgjobq.actions").await, "0");
    })
    .await;
}

#[tokio::test]
async fn administrator_sees_each_screen_and_does_each_action() {
    Stage::run(async |stage| {
        let seeds = seed(stage, "lorem").await;
        stage.execute("select pgjobq.create_queue('q')").await;
        as_member(stage, Some(SchemaRole::Administrator), async |client| {
            let browser = Browser::new(router(client).open_to_everyone());
            for path in seeds.screens() {
                let page = browser.get(&path).await;
                assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text());
            }
            for (path, mut fields, _) in actions() {
                // Their table names a schedule that is not there.
                fields
                    .iter_mut()
                    .filter(|(_, value)| *value == "none")
                    .for_each(|(_, value)| *value = SCHEDULE);
                let answer = browser.post(path, &fields).await;
                // It names a job and a workflow that are not there, either.
                let expected = [StatusCode::SEE_OTHER, StatusCode::NOT_FOUND];
                assert!(expected.contains(&answer.status), "{path} {fields:?}: {}", answer.text());
            }
            for (job, action) in
                [(seeds.waiting, "cancel"), (seeds.dead, "requeue"), (seeds.scheduled, "retry_now")]
            {
                let answer =
                    browser.post("act-on-job", &[("id", &job.to_string()), ("action", action)]).await;
                assert_eq!(answer.header("location"), format!("job?id={job}"), "{action}: {}", answer.text());
            }
        })
        .await;
        for (job, state) in [(seeds.waiting, JobState::Cancelled), (seeds.dead, JobState::Ready)] {
            assert_eq!(stage.client.job(job).status().await.unwrap().unwrap().state, state);
        }
    })
    .await;
}
