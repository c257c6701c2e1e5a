//! What the database refuses is told to those whom it concerns.

use axum::http::StatusCode;
use pgjobq::filter::all;
use pgjobq_web::{Permission, User, router};

use crate::browser::Browser;
use crate::jobs::{SCHEDULE, seed};
use crate::roles::as_member;
use crate::stage::Stage;

#[tokio::test]
async fn viewers_see_no_details_of_errors() {
    Stage::run(async |stage| {
        as_member(stage, None, async |client| {
            let of = |user: User| {
                Browser::new(
                    router(client).auth(move |_| std::future::ready(Ok::<_, StatusCode>(user.clone()))),
                )
            };
            let sees = User::viewer("bob").allow(Permission::SeeArguments);
            let public = Browser::new(router(client).read_only().open_to_everyone());
            for browser in [of(User::viewer("bob")), of(sees), public] {
                for path in ["audit", "api/audit", "overview"] {
                    let page = browser.get(path).await;
                    assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}: {}", page.text());
                    assert!(!page.body.contains("permission denied"), "{path}: {}", page.body);
                    assert!(
                        page.body.contains("the log of the program has the details"),
                        "{path}: {}",
                        page.body
                    );
                }
            }
            for permission in [Permission::Retry, Permission::Pause, Permission::Delete] {
                let page = of(User::viewer("ada").allow(permission)).get("audit").await;
                assert!(page.text().contains("permission denied"), "{permission}: {}", page.text());
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn audit_record_of_an_error_has_no_details() {
    Stage::run(async |stage| {
        let fails = "create function fails() returns trigger language plpgsql as
                     'begin raise exception ''hunter2''; end';
                     create trigger fails before insert on pgjobq.pauses execute function fails()";
        stage.execute(fails).await;
        let browser = Browser::new(router(&stage.client).open_to_everyone());
        let answer = browser.post("pause", &[("scope", "kind"), ("name", "k")]).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.text().contains("hunter2"), "{}", answer.text());
        let records = stage.client.audit_records(None, 10).await.unwrap();
        let outcome = records[0].outcome.as_deref().unwrap();
        assert!(outcome.starts_with("failed: the database refused this"), "{outcome}");
        assert!(!outcome.contains("hunter2"), "{outcome}");

        seed(stage, "lorem").await;
        let fails = "create trigger fails before insert on pgjobq.jobs execute function fails()";
        stage.execute(fails).await;
        let answer = browser.post("act-on-schedule", &[("name", SCHEDULE), ("action", "run_now")]).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.text().contains("hunter2"), "{}", answer.text());
        let records = stage.client.audit_records(None, 1).await.unwrap();
        let outcome = records[0].outcome.as_deref().unwrap();
        assert!(outcome.starts_with("failed: the database refused this"), "{outcome}");
    })
    .await;
}

#[tokio::test]
async fn viewers_see_no_error_of_an_action() {
    Stage::run(async |stage| {
        seed(stage, "lorem").await;
        let action = stage.client.jobs(all()).cancel().rate("1 per hour").start().await.unwrap();
        stage.execute("update pgjobq.actions set problem = 'hunter2'").await;
        let of = |user: User| {
            Browser::new(
                router(&stage.client).auth(move |_| std::future::ready(Ok::<_, StatusCode>(user.clone()))),
            )
        };
        let (viewer, operator) = (of(User::viewer("bob")), of(User::operator("ada")));
        for path in ["action?id=1", "api/action?id=1", "api/actions"] {
            assert!(!viewer.get(path).await.body.contains("hunter2"), "{path}");
            assert!(operator.get(path).await.body.contains("hunter2"), "{path}");
        }
        let again = "A batch failed, and is tried again: the log of the worker has the details";
        assert!(viewer.get("action?id=1").await.text().contains(again));
        action.stop().await.unwrap();
        let page = operator.get("action?id=1").await.text();
        assert!(
            page.contains("A batch failed on the way: hunter2") && !page.contains("tried again"),
            "{page}"
        );
    })
    .await;
}

#[tokio::test]
async fn choice_of_no_job_is_named() {
    Stage::run(async |stage| {
        let browser = Browser::new(router(&stage.client).open_to_everyone());
        for path in ["preview?action=requeue", "api/preview?action=requeue"] {
            let page = browser.get(path).await;
            assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path}");
            assert!(page.text().contains("no job is chosen: go back"), "{path}: {}", page.text());
        }
    })
    .await;
}
