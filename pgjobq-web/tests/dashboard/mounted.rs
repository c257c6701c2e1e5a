//! It works wherever it is mounted, under any names.

use std::collections::{BTreeSet, VecDeque};

use axum::Router;
use axum::http::StatusCode;
use pgjobq_web::router;

use crate::browser::Browser;
use crate::jobs::seed;
use crate::stage::Stage;

/// Follows all links from the first page, and fails on one that leads out of the dashboard, or nowhere.
async fn crawl(app: Router, at: &'static str) -> usize {
    let browser = Browser::at(app, at);
    let (mut seen, mut to_see) = (BTreeSet::new(), VecDeque::from(["overview".to_owned()]));
    while let Some(path) = to_see.pop_front() {
        let page = browser.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{at}{path}: {}", page.text());
        let sources = page.attributes("src").into_iter().chain(page.attributes("action"));
        for link in page.attributes("href").into_iter().chain(sources) {
            // All screens are at one depth, so that a relative link is the path below the first page.
            let is_relative = !link.starts_with('/') && !link.contains("://") && !link.contains("../");
            assert!(is_relative, "{path}: {link}");
            let link = link.strip_prefix("./").unwrap_or(&link).to_owned();
            let posts = [
                "act",
                "act-on-job",
                "act-on-schedule",
                "act-on-workflow",
                "pause",
                "resume",
                "stop",
                "preview",
            ];
            if !link.starts_with('#')
                && !posts.contains(&&*link)
                && seen.insert(link.clone())
                && seen.len() < 150
            {
                to_see.push_back(link);
            }
        }
    }
    seen.len()
}

#[tokio::test]
async fn links_lead_somewhere_wherever_it_is_mounted() {
    Stage::run(async |stage| {
        seed(stage, "lorem").await;
        let inner: Router = router(&stage.client).open_to_everyone();
        let board = || router(&stage.client).open_to_everyone();
        assert!(crawl(board(), "/").await > 40);
        assert!(crawl(Router::new().nest("/admin/jobs", board()), "/admin/jobs/").await > 40);
        assert!(crawl(Router::new().nest_service("/a/b/c", inner), "/a/b/c/").await > 40);
    })
    .await;
}

#[tokio::test]
async fn bare_address_leads_to_the_first_page() {
    Stage::run(async |stage| {
        let board = || router(&stage.client).open_to_everyone();
        let inner: Router = board();
        let ways = [
            (board(), "/", "./overview"),
            (Router::new().nest("/admin/jobs", board()), "/admin/jobs", "./jobs/overview"),
            (Router::new().nest_service("/admin/jobs", inner.clone()), "/admin/jobs", "./jobs/overview"),
            (Router::new().nest_service("/admin/jobs", inner), "/admin/jobs/", "./overview"),
        ];
        for (app, at, to) in ways {
            let answer = Browser::at(app, at).get("").await;
            assert_eq!((answer.status.as_u16(), answer.header("location")), (307, to), "{at}");
        }
        let app = Router::new().nest("/admin/jobs", board());
        let browser = Browser::at(app, "/admin/jobs/");
        assert_eq!(browser.get("overview").await.status, StatusCode::OK);
        assert_eq!(browser.get("nowhere").await.status, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn names_with_special_characters_work() {
    Stage::run(async |stage| {
        let app = Router::new().nest("/admin/jobs", router(&stage.client).open_to_everyone());
        let browser = Browser::at(app, "/admin/jobs/");
        for name in ["..", ".", "/", "a/../b", "//", "a.b:c", "x-y_z"] {
            stage.client.queue(name).save().await.unwrap();
            let link = format!(
                "queue?name={}",
                form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>()
            );
            let page = browser.get(&link).await;
            assert_eq!(page.status, StatusCode::OK, "{name}");
            let answer = browser.post("pause", &[("scope", "queue"), ("name", name)]).await;
            assert_eq!(answer.header("location"), link);
            assert!(browser.get(&link).await.text().contains("is paused"), "{name}");
        }
        assert_eq!(stage.client.pauses().await.unwrap().len(), 7);
        // Keys may have any characters.
        for key in ["a/b", "100%", "#1", "a?b&c=d", "..", "ü <b>", "%2e%2e%2f"] {
            let enqueue = format!("select job from pgjobq.enqueue('k', '{{}}', 'a.b:c', key => '{key}')");
            let id = stage.text(&enqueue).await;
            let page = browser.get(&format!("job?id={id}")).await;
            let is_of_key = |link: &&String| link.starts_with("jobs?filter=key");
            let link = page.attributes("href").into_iter().find(|link| is_of_key(&link)).unwrap();
            assert!(browser.get(&link).await.attributes("href").contains(&format!("job?id={id}")), "{key}");
        }
    })
    .await;
}
