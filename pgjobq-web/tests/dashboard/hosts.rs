//! A name of another site that leads to the dashboard (DNS rebinding) shows nothing, and acts on nothing.

use axum::Router;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use pgjobq_web::{User, router};
use tower::ServiceExt as _;

use crate::permissions::actions;
use crate::stage::Stage;

/// Asks as a script of a page at this host does: to the browser the dashboard has the same origin.
async fn ask(app: &Router, host: &str, method: Method, path: &str) -> (StatusCode, String) {
    let request = Request::builder().method(method).uri(format!("/{path}")).header("host", host);
    let request = request.header("origin", format!("http://{host}")).header("sec-fetch-site", "same-origin");
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn open_dashboard_is_closed_at_foreign_names() {
    Stage::run(async |stage| {
        let app: Router = router(&stage.client).open_to_everyone();
        for path in ["overview", "jobs", "api/jobs", "api/session", "events", "nowhere"] {
            let (status, body) = ask(&app, "evil.test:3000", Method::GET, path).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{path}: {body}");
            assert!(body.contains("evil.test:3000") && body.contains(".hosts(["), "{path}: {body}");
        }
        for (path, ..) in actions() {
            assert_eq!(ask(&app, "evil.test", Method::POST, path).await.0, StatusCode::FORBIDDEN, "{path}");
        }
        for host in ["localhost:3000", "127.0.0.1:3000", "[::1]:3000", "10.1.2.3", "jobs.localhost"] {
            assert_eq!(ask(&app, host, Method::GET, "overview").await.0, StatusCode::OK, "{host}");
        }
    })
    .await;
}

#[tokio::test]
async fn named_hosts_are_admitted() {
    Stage::run(async |stage| {
        let app: Router = router(&stage.client).hosts(["jobs.example.org"]).open_to_everyone();
        for (host, status) in [("jobs.example.org", 200), ("localhost", 200), ("www.example.org", 403)] {
            assert_eq!(ask(&app, host, Method::GET, "overview").await.0.as_u16(), status, "{host}");
        }
    })
    .await;
}

async fn ada(_: Parts) -> Result<User, StatusCode> {
    Ok(User::viewer("ada"))
}

#[tokio::test]
async fn dashboard_with_users_admits_any_host_unless_some_are_named() {
    Stage::run(async |stage| {
        let any: Router = router(&stage.client).auth(ada);
        let named: Router = router(&stage.client).hosts(["jobs.example.org"]).auth(ada);
        for (app, host, status) in
            [(&any, "x.test", 200), (&named, "jobs.example.org", 200), (&named, "x.test", 403)]
        {
            assert_eq!(ask(app, host, Method::GET, "overview").await.0.as_u16(), status, "{host}");
        }
    })
    .await;
}
