//! Whatever is in the database is inert.

use axum::http::StatusCode;
use pgjobq_web::{User, router};

use crate::browser::Browser;
use crate::jobs::seed;
use crate::stage::Stage;

/// Closes whatever it stands in, and runs a script.
const HOSTILE: &str =
    r#"'"></td></script><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}javascript:alert(1)&lt;"#;

#[tokio::test]
async fn hostile_texts_are_shown_as_texts() {
    Stage::run(async |stage| {
        let seeds = seed(stage, HOSTILE).await;
        let worker = stage.worker().name(HOSTILE).build().await.unwrap().start();
        stage.client.kind("fails").pause().because(HOSTILE).by(HOSTILE).await.unwrap();
        let app = router(&stage.client)
            .title(HOSTILE)
            .auth(async |_| Ok::<_, StatusCode>(User::administrator(HOSTILE)));
        let browser = Browser::new(app);
        let cancelled = [("id", &*seeds.waiting.to_string()), ("action", "cancel"), ("reason", HOSTILE)];
        let answer = browser.post("act-on-job", &cancelled).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        let filter = pgjobq::filter::key(HOSTILE).to_string();
        browser.post("act", &[("action", "requeue"), ("filter", &filter), ("reason", HOSTILE)]).await;
        let mut hostile = 0;
        let encoded: String = form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
        let mut screens = seeds.screens();
        screens.extend(
            ["jobs?filter=", "jobs?after=", "queue?name=", "preview?action=", "job?id=", "x?"]
                .map(|path| format!("{path}{encoded}")),
        );
        screens.push("action?id=1".to_owned());
        for path in &screens {
            let page = browser.get(path).await;
            assert!(!page.body.contains("<img") && !page.body.contains("<script>"), "{path}: {}", page.body);
            assert_eq!(page.body.matches("<script").count(), 1, "{path}");
            assert!(page.text().contains(HOSTILE), "{path} shows neither title nor user: {}", page.text());
            hostile += page.text().matches(HOSTILE).count();
            for link in page.attributes("href").into_iter().chain(page.attributes("action")) {
                assert!(!link.trim().starts_with("javascript"), "{path}: {link}");
            }
            assert_inert(&page.body, path);
        }
        assert!(hostile > 3 * screens.len(), "the texts were hardly shown: {hostile}");
        worker.shutdown().await.unwrap();
    })
    .await;
}

/// Fails if a page has what its policy forbids: an inline script, style or handler.
fn assert_inert(body: &str, path: &str) {
    let tags = body.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag);
    for tag in tags {
        let outside: String = tag.split('"').step_by(2).collect();
        assert!(!outside.contains(" style=") && !outside.contains(" on"), "{path}: <{tag}>");
        assert!(!tag.starts_with("style"), "{path}: <{tag}>");
    }
}

#[tokio::test]
async fn every_answer_has_the_policy() {
    Stage::run(async |stage| {
        let app = router(&stage.client).auth(async |request: axum::http::request::Parts| {
            if request.uri.path() == "/jobs" {
                Err(StatusCode::UNAUTHORIZED)
            } else {
                Ok(User::viewer("bob"))
            }
        });
        let browser = Browser::new(app);
        for path in ["", "jobs", "nowhere", "api/overview", "api/job?id=x", "assets/x", "events/x"] {
            let answer = browser.get(path).await;
            let policy = answer.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self'"), "{path}");
            assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{path}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
        }
    })
    .await;
}
