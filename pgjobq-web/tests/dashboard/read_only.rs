//! A read-only dashboard changes nothing.

use axum::http::{Method, StatusCode};
use pgjobq::Client;
use pgjobq::sqlx::postgres::PgPoolOptions;
use pgjobq_web::router;

use crate::browser::{Browser, OWN, form};
use crate::jobs::seed;
use crate::permissions::actions;
use crate::stage::Stage;

#[tokio::test]
async fn every_screen_works_in_read_only_transactions() {
    Stage::run(async |stage| {
        let seeds = seed(stage, "lorem").await;
        let options = stage.options.clone().options([("default_transaction_read_only", "on")]);
        let pool = PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
        let client = Client::new(pool.clone());
        let browser = Browser::new(router(&client).read_only().open_to_everyone());
        for path in seeds.screens() {
            let page = browser.get(&path).await;
            let expected = if path.starts_with("preview") { StatusCode::FORBIDDEN } else { StatusCode::OK };
            assert_eq!(page.status, expected, "{path}: {}", page.text());
            assert!(!page.body.contains("method=\"post\"") && !page.body.contains("preview?"), "{path}");
        }
        client.close().await;
        pool.close().await;
    })
    .await;
}

#[tokio::test]
async fn all_methods_but_get_and_head_are_refused() {
    Stage::run(async |stage| {
        let browser = Browser::new(router(&stage.client).read_only().open_to_everyone());
        let token = browser.token().await;
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
            for (path, fields, _) in actions() {
                for path in [path.to_owned(), format!("api/{path}"), "jobs".to_owned(), "nowhere".to_owned()]
                {
                    let answer = browser.send(method.clone(), &path, &OWN, &form(&token, &fields)).await;
                    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
                }
            }
        }
        assert_eq!(stage.text("select count(*) from pgjobq.audit").await, "0");
        assert_eq!(stage.text("select count(*) from pgjobq.pauses").await, "0");
        assert_eq!(browser.send(Method::HEAD, "jobs", &[], "").await.status, StatusCode::OK);
    })
    .await;
}
