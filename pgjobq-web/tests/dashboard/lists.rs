//! Lists are complete, also the long ones.

use axum::http::StatusCode;
use pgjobq_web::{User, router};

use crate::browser::Browser;
use crate::stage::Stage;

fn as_ada(stage: &Stage) -> Browser {
    Browser::new(router(&stage.client).auth(async |_| Ok::<_, StatusCode>(User::administrator("ada"))))
}

/// Returns the ids that a page of actions links to, and the link to the next page.
async fn page_of_actions(browser: &Browser, path: &str) -> (Vec<u32>, Option<String>) {
    let links = browser.get(path).await.attributes("href");
    let ids = links.iter().filter_map(|link| link.strip_prefix("action?id=")).map(|id| id.parse().unwrap());
    (ids.collect(), links.iter().find(|link| link.contains("before=")).cloned())
}

#[tokio::test]
async fn running_action_stays_before_later_ones_that_ended() {
    Stage::run(async |stage| {
        stage.execute("select pgjobq.create_queue('q')").await;
        stage.execute("select pgjobq.enqueue('k', '{}', 'q')").await;
        let jobs = stage.client.jobs("kind = 'k'".parse().unwrap());
        let _ = jobs.cancel().rate("1 per hour").start().await.unwrap();
        let ended = "insert into pgjobq.actions (action, filter, asked_by, selection, ended_at, outcome)
                     select action, filter, asked_by, selection, now(), 'done'
                       from pgjobq.actions, generate_series(1, 120)";
        stage.execute(ended).await;
        let browser = as_ada(stage);
        let (mut path, mut pages) = (Some("actions".to_owned()), Vec::new());
        while let Some(next) = path {
            let (ids, link) = page_of_actions(&browser, &next).await;
            pages.push(ids);
            path = link;
        }
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [51, 50, 21]);
        assert_eq!(pages[0][..2], [1, 121]);
        assert_eq!(pages.concat()[1..], (1..=121).rev().collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn action_is_offered_although_a_sample_missed_its_jobs() {
    Stage::run(async |stage| {
        stage.execute("select pgjobq.create_queue('q')").await;
        stage.execute("select pgjobq.enqueue('k', '{}', 'q') from generate_series(1, 10500)").await;
        let browser = as_ada(stage);
        let list = browser.get("jobs?filter=attempts+%3E+2").await;
        assert!(list.text().contains("perhaps some jobs"), "{}", list.text());
        let link = list.attributes("href").into_iter().find(|link| link.starts_with("preview?action=cancel"));
        let page = browser.get(&link.unwrap()).await;
        assert!(page.text().contains("Cancel perhaps some jobs?"), "{}", page.text());
        assert!(page.body.contains("action=\"act\""), "{}", page.body);
        let none = browser.get("preview?action=requeue&filter=attempts+%3E+2").await;
        assert!(none.text().contains("No job that matches can be changed so."), "{}", none.text());
    })
    .await;
}

#[tokio::test]
async fn jobs_move_to_a_queue_that_no_list_offers() {
    Stage::run(async |stage| {
        stage.execute("select pgjobq.create_queue('a')").await;
        let browser = as_ada(stage);
        browser.get("overview").await;
        stage.execute("select pgjobq.create_queue('b')").await;
        stage.execute("select pgjobq.enqueue('k', '{}', 'a')").await;
        let page = browser.get("preview?action=move_to&filter=all").await;
        assert!(page.body.contains("<input name=\"queue\" list=\"queues\""), "{}", page.body);
        let fields = [("action", "move_to"), ("filter", "all"), ("queue", "b")];
        assert_eq!(browser.post("act", &fields).await.header("location"), "action?id=1");
    })
    .await;
}
