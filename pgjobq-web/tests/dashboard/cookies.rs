//! The forms of open pages stay good, and other sites have no part in their cookies.

use axum::http::{Method, StatusCode};
use pgjobq_web::router;

use crate::browser::{Browser, OWN, form};
use crate::stage::Stage;

const PAUSE: [(&str, &str); 2] = [("scope", "kind"), ("name", "k")];

#[tokio::test]
async fn link_of_another_site_keeps_open_forms_good() {
    Stage::run(async |stage| {
        let browser = Browser::new(router(&stage.client).open_to_everyone());
        let token = browser.token().await;
        assert_eq!(browser.arrive("overview").await.status, StatusCode::OK);
        let answer = browser.send(Method::POST, "pause", &OWN, &form(&token, &PAUSE)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    })
    .await;
}

#[tokio::test]
async fn cookies_of_https_are_sent_by_https_alone() {
    Stage::run(async |stage| {
        let browser = Browser::new(router(&stage.client).open_to_everyone());
        let https = ("x-forwarded-proto", "https");
        let session = browser.send(Method::GET, "api/session", &[https], "").await;
        let cookie = session.header("set-cookie");
        assert!(cookie.starts_with("__Host-pgjobq_session=") && cookie.ends_with("; Secure"), "{cookie}");
        let token: serde_json::Value = serde_json::from_str(&session.body).unwrap();
        let body = form(token["token"].as_str().unwrap(), &PAUSE);
        let headers: Vec<_> = OWN.into_iter().chain([https]).collect();
        let answer = browser.send(Method::POST, "pause", &headers, &body).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
        assert!(answer.header("set-cookie").ends_with("; Secure"), "{}", answer.header("set-cookie"));
        let page = browser.send(Method::GET, "kinds", &[https], "").await;
        assert!(page.text().contains("is paused"), "{}", page.text());
    })
    .await;
}
