//! Lists are complete, also the long ones.

use std::time::Duration;

use axum::http::StatusCode;
use pgjobq_web::{User, router};
use serde_json::Value;

use crate::browser::Browser;
use crate::jobs::seed;
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
        let page = browser.get("preview?action=cancel&filter=attempts+%3E+2").await;
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

#[tokio::test]
async fn reason_of_a_cancel_is_shown_and_is_no_error() {
    Stage::run(async |stage| {
        stage.execute("select pgjobq.create_queue('q')").await;
        stage.execute("select pgjobq.enqueue('k', '{}', 'q')").await;
        let jobs = stage.client.jobs("kind = 'k'".parse().unwrap());
        jobs.cancel().because("a wrong recipient").await.unwrap();
        let browser = as_ada(stage);
        let page = browser.get("jobs").await;
        assert!(page.text().contains("a wrong recipient"), "{}", page.text());
        let job = &browser.json("jobs").await["jobs"][0];
        assert_eq!(
            (&job["cancelled_for"], &job["error"]),
            (&"a wrong recipient".into(), &serde_json::Value::Null)
        );
    })
    .await;
}

#[tokio::test]
async fn rare_job_is_found_behind_many_others() {
    Stage::run(async |stage| {
        let dead = seed(stage, "lorem").await.dead;
        let others = "insert into pgjobq.finished
            (created_at, finished_at, queue_id, attempt, failures, crashes, drop_on, shard, priority, retries, max_crashes,
             id, outcome, kind, args)
            select created_at, clock_timestamp(), queue_id, attempt, failures, crashes, drop_on, shard, priority, retries,
                   max_crashes, gen_random_uuid(), outcome, 'other', args
              from pgjobq.finished, generate_series(1, 25000) where kind = 'fails'";
        stage.execute(others).await;
        let filter = "filter=state+%3D+%27dead%27+and+kind+%3D+%27fails%27";
        // A long timeout gives the page a minute to look.
        let app = router(&stage.client).statement_timeout(Duration::from_secs(3000)).open_to_everyone();
        let list = Browser::new(app).json(&format!("jobs?{filter}")).await;
        assert_eq!((&list["jobs"][0]["id"], &list["next"]), (&dead.to_string().into(), &Value::Null));
        assert_eq!((&list["matching"], &list["exact"]), (&1.into(), &true.into()), "it has seen all of them");
        // A page that has less time says how far it has come, and the next one goes on from there.
        let browser = Browser::new(router(&stage.client).open_to_everyone());
        let mut path = format!("jobs?{filter}");
        loop {
            let page = browser.get(&path).await;
            let links = page.attributes("href");
            if links.contains(&format!("job?id={dead}")) {
                break;
            }
            assert!(page.text().contains("0,000 that were looked at"), "{}", page.text());
            path = links.into_iter().find(|link| link.contains("after=")).expect("it goes on");
        }
    })
    .await;
}

#[tokio::test]
async fn each_limit_and_kind_leads_to_its_jobs() {
    Stage::run(async |stage| {
        seed(stage, "lorem").await;
        stage.client.queue("mail").concurrency(2).save().await.unwrap();
        let browser = as_ada(stage);
        let limits = browser.get("limits").await.attributes("href");
        assert!(limits.contains(&"queue?name=mail".to_owned()), "{limits:?}");
        let kinds = browser.get("kinds").await.attributes("href");
        assert!(kinds.contains(&"jobs?filter=kind+%3D+%27fails%27".to_owned()), "{kinds:?}");
    })
    .await;
}
