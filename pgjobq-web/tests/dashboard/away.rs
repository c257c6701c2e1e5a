//! A database that is away is named, and soon.

use std::time::{Duration, Instant};

use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use pgjobq::Client;
use pgjobq::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use pgjobq_web::{User, router};
use tokio::net::TcpListener;

use crate::browser::Browser;
use crate::stage::Stage;

/// Less than the ten seconds for which a program waits for an answer.
const SOON: Duration = Duration::from_secs(20);

fn at(port: u16) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port).username("nobody").database("none")
}

async fn ada_or_bob(request: Parts) -> Result<User, StatusCode> {
    let is_bob = request.headers.contains_key("bob");
    Ok(if is_bob { User::viewer("bob") } else { User::administrator("ada") })
}

#[tokio::test]
async fn old_numbers_say_that_the_database_is_away() {
    Stage::run(async |stage| {
        let options = stage.options.clone().application_name("viewers");
        let pool = PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
        let client = Client::new(pool.clone());
        let browser = Browser::new(router(&client).interval(Duration::from_secs(86_400)).auth(ada_or_bob));
        let page = browser.get("overview").await;
        assert!(page.status == StatusCode::OK && !page.text().contains("Could not ask"), "{}", page.text());
        let json = browser.json("overview").await;
        assert!(json["error"].is_null() && json["age"].is_number(), "{json}");
        browser.post("pause", &[("scope", "kind"), ("name", "k")]).await; // The next look asks anew.
        pool.set_connect_options(at(1));
        let end = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'viewers'";
        stage.execute(end).await;
        for path in ["overview", "queues"] {
            for (headers, sees_the_reason) in [(&[][..], true), (&[("bob", "")][..], false)] {
                let page = browser.send(Method::GET, path, headers, "").await;
                let text = page.text();
                assert_eq!(page.status, StatusCode::OK, "{path}: {text}");
                let begins = "<p class=\"error\" role=\"alert\">Could not ask the database since 20";
                assert!(page.body.contains(begins) && text.contains("these numbers are of 20"), "{text}");
                assert_eq!(text.contains("127.0.0.1:1"), sees_the_reason, "{text}");
            }
        }
        let json = browser.json("queues").await;
        assert!(json["error"].as_str().unwrap().starts_with("Could not ask the database since"), "{json}");
        assert_eq!(browser.get("audit").await.status, StatusCode::SERVICE_UNAVAILABLE);
        pool.close().await;
    })
    .await;
}

#[tokio::test]
async fn database_that_never_was_there_is_named_soon() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap(); // Nobody accepts, so nobody answers.
    let silent = silent.local_addr().map(|address| (silent, address.port())).unwrap();
    for (port, why) in [(1, "refused"), (silent.1, "it did not answer within 5s")] {
        let pool = PgPoolOptions::new().connect_lazy_with(at(port));
        let browser = Browser::new(router(&Client::new(pool)).open_to_everyone());
        for path in ["overview", "jobs", "workers", "audit", "preview?action=cancel&filter=all"] {
            let began = Instant::now();
            let page = browser.get(path).await;
            let (text, took) = (page.text(), began.elapsed());
            assert!(took < SOON, "{path}: {took:?}");
            assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {text}");
            assert!(text.contains(&format!("at 127.0.0.1:{port} could not be reached")), "{path}: {text}");
            assert!(text.contains(why) && text.contains("check that the server runs"), "{path}: {text}");
        }
    }
}
