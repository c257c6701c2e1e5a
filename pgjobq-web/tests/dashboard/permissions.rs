//! Nobody does what they may not.

use axum::http::{Method, StatusCode};
use pgjobq_web::{Permission, User, router};

use crate::browser::{Browser, OWN, form};
use crate::stage::Stage;

/// The fields of a form.
type Fields = Vec<(&'static str, &'static str)>;

/// Each action with the fields that it needs, and its permission.
pub(crate) fn actions() -> Vec<(&'static str, Fields, Permission)> {
    let id = ("id", "00000000-0000-7000-8000-000000000001");
    let reset =
        |action, permission| ("act", vec![("action", action), ("filter", "kind = 'none'")], permission);
    let schedule =
        |action, permission| ("act-on-schedule", vec![("name", "none"), ("action", action)], permission);
    let mut priority = reset("set_priority", Permission::Change);
    priority.1.push(("priority", "high"));
    let mut queue = reset("move_to", Permission::Change);
    queue.1.push(("queue", "q"));
    vec![
        ("act-on-job", vec![id, ("action", "cancel")], Permission::Cancel),
        ("act-on-job", vec![id, ("action", "requeue")], Permission::Retry),
        ("act-on-job", vec![id, ("action", "retry_now")], Permission::Retry),
        reset("cancel", Permission::Cancel),
        reset("requeue", Permission::Retry),
        reset("retry_now", Permission::Retry),
        reset("delete", Permission::Delete),
        priority,
        queue,
        ("stop", vec![("id", "1")], Permission::Cancel),
        ("pause", vec![("scope", "queue"), ("name", "q")], Permission::Pause),
        ("resume", vec![("scope", "queue"), ("name", "q")], Permission::Pause),
        ("pause", vec![("scope", "kind"), ("name", "k")], Permission::Pause),
        ("resume", vec![("scope", "kind"), ("name", "k")], Permission::Pause),
        schedule("run_now", Permission::Retry),
        schedule("pause", Permission::Pause),
        schedule("resume", Permission::Pause),
        schedule("remove", Permission::Delete),
        ("act-on-workflow", vec![id, ("action", "cancel")], Permission::Cancel),
        ("act-on-workflow", vec![id, ("action", "retry_failed")], Permission::Retry),
        ("act-on-workflow", vec![id, ("action", "resume"), ("step", "1")], Permission::Retry),
    ]
}

/// Returns the quoted paths of a source file.
fn paths(source: &str) -> Vec<&str> {
    source.split('"').skip(1).step_by(2).filter_map(|text| text.strip_prefix('/')).collect()
}

/// Returns the words of an action: those of each `as_str` in its file, or an empty one if it has none.
fn words(module: &str) -> Vec<String> {
    let file = format!("{}/src/acts/{module}.rs", env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(file).unwrap();
    let bodies = source.split("fn as_str(self)").skip(1).map(|rest| rest.split("\n    }\n").next().unwrap());
    let words: Vec<_> =
        bodies.flat_map(|body| body.split('"').skip(1).step_by(2)).map(str::to_owned).collect();
    if words.is_empty() { vec![String::new()] } else { words }
}

#[test]
fn every_word_of_every_action_is_tested() {
    let (actions, mut seen) = (actions(), 0);
    for added in include_str!("../../src/acts/mod.rs").split("add::<").skip(1) {
        let (module, path) = (added.split(':').next().unwrap(), paths(added)[0]);
        for word in words(module) {
            let sends = |fields: &Fields| word.is_empty() || fields.iter().any(|(_, value)| *value == word);
            let is_tested = actions.iter().any(|(tested, fields, _)| *tested == path && sends(fields));
            assert!(is_tested, "no test sends `{word}` to `{path}`");
            seen += 1;
        }
    }
    assert_eq!(seen, actions.len(), "each word is sent once");
}

#[test]
fn readme_lists_the_json_of_each_screen_and_action() {
    let readme = include_str!("../../README.md");
    for path in paths(include_str!("../../src/screens/mod.rs")) {
        let path = format!("`api/{}`", path.trim_start_matches("api/"));
        assert!(readme.contains(&path), "{path}");
    }
    for path in paths(include_str!("../../src/acts/mod.rs")) {
        assert!(readme.contains(&format!("`{path}`")), "{path}");
    }
}

#[tokio::test]
async fn each_action_needs_its_permission() {
    Stage::run(async |stage| {
        stage.execute("select pgjobq.create_queue('q')").await;
        let mut done = 0;
        for permission in Permission::ALL {
            let user = User::viewer("bob").allow(permission);
            let app =
                router(&stage.client).auth(move |_| std::future::ready(Ok::<_, StatusCode>(user.clone())));
            let browser = Browser::new(app);
            for (path, fields, needed) in actions() {
                let answer = browser.post(path, &fields).await;
                let json = post_json(&browser, path, &fields).await;
                let is_refused = answer.status == StatusCode::FORBIDDEN;
                assert_eq!(
                    is_refused,
                    permission != needed,
                    "{path} {fields:?} with {permission}: {answer:?}"
                );
                assert_eq!(
                    json == StatusCode::FORBIDDEN,
                    is_refused,
                    "api/{path} {fields:?} with {permission}"
                );
                done += 2 * usize::from(!is_refused);
            }
        }
        // What was refused has left no trace.
        assert_eq!(stage.text("select count(*) from pgjobq.audit").await, done.to_string());
    })
    .await;
}

async fn post_json(browser: &Browser, path: &str, fields: &[(&str, &str)]) -> StatusCode {
    let token = browser.token().await;
    let mut body: std::collections::BTreeMap<_, _> = fields.iter().copied().collect();
    body.insert("token", &token);
    let body = serde_json::to_string(&body).unwrap();
    let headers = [("sec-fetch-site", "same-origin"), ("content-type", "application/json")];
    browser.send(Method::POST, &format!("api/{path}"), &headers, &body).await.status
}

#[tokio::test]
async fn previews_need_the_permission_of_their_action() {
    Stage::run(async |stage| {
        let app = router(&stage.client).auth(async |_| Ok::<_, StatusCode>(User::operator("bob")));
        let browser = Browser::new(app);
        for (action, status) in [("cancel", 200), ("requeue", 200), ("delete", 403), ("move_to", 403)] {
            let page = browser.get(&format!("preview?action={action}&filter=all")).await;
            assert_eq!(page.status.as_u16(), status, "{action}");
        }
    })
    .await;
}

#[tokio::test]
async fn hook_is_asked_for_every_page_and_action() {
    Stage::run(async |stage| {
        let app = router(&stage.client).auth(async |_| Err::<User, _>(StatusCode::UNAUTHORIZED));
        let browser = Browser::new(app);
        let screens = paths(include_str!("../../src/screens/mod.rs"));
        assert!(screens.len() > 15);
        for path in screens.into_iter().chain(["events", "nowhere", "api/nowhere"]) {
            for path in [path.to_owned(), format!("api/{path}")] {
                let answer = browser.get(&path).await;
                assert_eq!((answer.status, &*answer.body), (StatusCode::UNAUTHORIZED, ""), "{path}");
            }
        }
        for (path, fields, _) in actions() {
            let answer = browser.send(Method::POST, path, &OWN, &form("", &fields)).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        }
        assert_eq!(stage.text("select count(*) from pgjobq.audit").await, "0");
    })
    .await;
}
