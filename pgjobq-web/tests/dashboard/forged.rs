//! Other sites cannot act.

use axum::http::{Method, StatusCode};
use pgjobq_web::{User, router};

use crate::browser::{Browser, OWN, form};
use crate::permissions::actions;
use crate::stage::Stage;

#[tokio::test]
async fn requests_of_other_sites_are_refused() {
    Stage::run(async |stage| {
        let browser = Browser::new(router(&stage.client).open_to_everyone());
        let token = browser.token().await;
        let other: [&[(&str, &str)]; 8] = [
            &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")],
            &[("sec-fetch-site", "same-site"), ("origin", "https://other.jobs.localhost")],
            &[("sec-fetch-site", "none")],
            &[("origin", "https://evil.test")],
            &[("origin", "null")],
            &[("origin", "http://jobs.localhost"), ("x-forwarded-proto", "https")],
            &[("origin", "moz-extension://jobs.localhost")],
            &[],
        ];
        for headers in other {
            for (path, fields, _) in actions() {
                for path in [path.to_owned(), format!("api/{path}")] {
                    let answer = browser.send(Method::POST, &path, headers, &form(&token, &fields)).await;
                    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {headers:?}");
                }
            }
        }
        assert_eq!(stage.text("select count(*) from pgjobq.audit").await, "0");
    })
    .await;
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    Stage::run(async |stage| {
        let of = |name: &'static str| {
            Browser::new(
                router(&stage.client)
                    .auth(move |_| std::future::ready(Ok::<_, StatusCode>(User::administrator(name)))),
            )
        };
        let (ada, bob) = (of("ada"), of("bob"));
        let (own, other) = (ada.token().await, bob.token().await);
        for (path, fields, _) in actions() {
            for token in ["", "0", &other, &own[1..], &own.replace(|_| true, "0")] {
                let answer = ada.send(Method::POST, path, &OWN, &form(token, &fields)).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {token}");
            }
            // A browser without the cookie of this token.
            let answer = of("ada").send(Method::POST, path, &OWN, &form(&own, &fields)).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        }
        assert_eq!(stage.text("select count(*) from pgjobq.audit").await, "0");
    })
    .await;
}

#[tokio::test]
async fn json_of_a_form_is_refused() {
    Stage::run(async |stage| {
        let browser = Browser::new(router(&stage.client).open_to_everyone());
        let token = browser.token().await;
        let body = format!(r#"{{"token": "{token}", "scope": "kind", "name": "k"}}"#);
        let plain = [("sec-fetch-site", "same-origin"), ("content-type", "text/plain")];
        let answer = browser.send(Method::POST, "api/pause", &plain, &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
        let json = [("sec-fetch-site", "same-origin"), ("content-type", "application/json; charset=utf-8")];
        let answer = browser.send(Method::POST, "api/pause", &json, &body).await;
        assert_eq!(
            (answer.status, &*answer.body),
            (StatusCode::OK, r#"{"outcome":"The kind `k` is paused."}"#)
        );
    })
    .await;
}
