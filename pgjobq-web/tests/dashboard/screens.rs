//! Each screen shows what is there.

use axum::http::StatusCode;
use pgjobq_web::{User, router};

use crate::browser::Browser;
use crate::jobs::seed;
use crate::stage::Stage;

#[tokio::test]
async fn screens_show_what_is_there() {
    Stage::run(async |stage| {
        let seeds = seed(stage, "lorem").await;
        let browser = Browser::new(router(&stage.client).title("Shop").open_to_everyone());
        let shown = [
            ("overview", "Dead"),
            ("jobs", "scheduled"),
            ("jobs?filter=state+%3D+%27dead%27", "lorem"),
            ("queues", "default"),
            ("queue?name=default", "slots in each worker"),
            ("kinds", "hides"),
            ("dead", "lorem"),
            ("workers", "No worker runs"),
            ("workflows", "lorem"),
            ("schedules", "30 3 1 1 *"),
            ("limits", "No kind and no queue has a limit"),
            ("actions", "Nobody has acted"),
            ("audit", "Nobody has asked"),
        ];
        for (path, text) in shown {
            let page = browser.get(path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text());
            assert!(page.text().contains(text) && page.text().contains("Shop"), "{path}: {}", page.text());
        }
        let job = browser.get(&format!("job?id={}", seeds.dead)).await.text();
        assert!(job.contains("fatal") && job.contains("in here") && job.contains("How it ended"), "{job}");
        let job = browser.get(&format!("job?id={}", seeds.scheduled)).await.text();
        assert!(
            job.contains("[redacted]") && job.contains("\"shown\": 7") && !job.contains("hunter2"),
            "{job}"
        );
        let flow = browser.get(&format!("workflow?id={}", seeds.workflow)).await;
        let steps: Vec<_> =
            flow.attributes("href").into_iter().filter(|link| link.starts_with("job?id=")).collect();
        let [first, second] = &steps[..] else { panic!("{steps:?}") };
        for (step, other, before_or_behind) in [(first, second, "behind it"), (second, first, "before it")] {
            let page = browser.get(step).await;
            assert!(page.attributes("href").contains(other), "{step}: {}", page.body);
            assert!(page.text().contains(&format!("Steps {before_or_behind}")), "{step}: {}", page.text());
        }
        assert!(flow.body.contains("<svg class=\"graph\"") && flow.text().contains("Retry failed steps"));
    })
    .await;
}

#[tokio::test]
async fn json_has_what_the_page_shows() {
    Stage::run(async |stage| {
        let seeds = seed(stage, "lorem").await;
        let browser = Browser::new(router(&stage.client).open_to_everyone());
        let list = browser.json("jobs?filter=state+%3D+%27dead%27+and+kind+%3D+%27fails%27").await;
        assert_eq!((&list["jobs"][0]["id"], &list["matching"]), (&seeds.dead.to_string().into(), &1.into()));
        let job = browser.json(&format!("job?id={}", seeds.dead)).await;
        assert_eq!((&job["state"], &job["args"]["message"]), (&"dead".into(), &"lorem".into()));
        assert_eq!(job["failed_attempts"][0]["reason"], "fatal");
        assert_eq!(job["why"][0]["code"], "dead");
        let overview = browser.json("overview").await;
        assert_eq!((&overview["ready"], &overview["scheduled"]), (&1.into(), &1.into()));
        assert_eq!(browser.json("dead").await["groups"].as_array().unwrap().len(), 2);
        let page = browser.get(&format!("workflow?id={}", seeds.workflow)).await.text();
        assert!(page.contains("waits until the step before it has completed"), "the legend: {page}");
        let flow = browser.json(&format!("workflow?id={}", seeds.workflow)).await;
        assert_eq!((&flow["state"], &flow["graph"]["steps"][1]["state"]), (&"failed".into(), &"dead".into()));
    })
    .await;
}

#[tokio::test]
async fn missing_and_wrong_things_are_said() {
    Stage::run(async |stage| {
        let browser = Browser::new(router(&stage.client).open_to_everyone());
        let none = uuid::Uuid::nil();
        let cases = [
            ("nowhere".to_owned(), 404, "there is no such page"),
            (format!("job?id={none}"), 404, "there is no job"),
            (format!("workflow?id={none}"), 404, "there is no workflow"),
            ("queue?name=nope".to_owned(), 404, "there is no queue `nope`"),
            ("action?id=9".to_owned(), 404, "there is no action 9"),
            ("job".to_owned(), 400, "`id` is missing"),
            ("job?id=x".to_owned(), 400, "`id`: "),
            ("schedule?name=none".to_owned(), 404, "there is no schedule `none`"),
            ("schedule?name=%00".to_owned(), 400, "the name of a schedule is"),
            ("schedule".to_owned(), 400, "`name` is missing"),
            ("jobs?order=x".to_owned(), 400, "`x` is no order: write newest or oldest"),
            ("jobs?after=x".to_owned(), 400, "`x` is no place among jobs"),
            ("preview?action=drop&filter=all".to_owned(), 400, "`drop` is no action"),
            ("preview?action=cancel".to_owned(), 400, "no job is chosen"),
            (
                "preview?action=cancel&filter=state+%3D+%27dead%27".to_owned(),
                200,
                "changes jobs that have not ended",
            ),
            ("jobs?filter=state+%3D+dead".to_owned(), 200, "a text stands in single quotes"),
        ];
        for (path, status, text) in cases {
            let page = browser.get(&path).await;
            assert_eq!(page.status.as_u16(), status, "{path}");
            assert!(page.text().contains(text), "{path}: {}", page.text());
        }
        let json = browser.get("api/job?id=x").await;
        assert_eq!((json.status.as_u16(), json.header("content-type")), (400, "application/json"));
        for path in ["api/jobs?filter=state+%3D+dead", "api/preview?action=cancel&filter=state+%3D+dead"] {
            let answer = browser.get(path).await;
            let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
            let error = json["error"].as_str().unwrap();
            assert!(error.contains("wrong at column 9"), "{path}: {error}");
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn pages_of_jobs_follow_each_other() {
    Stage::run(async |stage| {
        stage.execute("select pgjobq.create_queue('q')").await;
        stage.execute("select pgjobq.enqueue('k', '{}', 'q') from generate_series(1, 120)").await;
        let browser = Browser::new(router(&stage.client).open_to_everyone());
        let newest = jobs_of_all_pages(&browser, "jobs").await;
        let mut oldest = jobs_of_all_pages(&browser, "jobs?order=oldest").await;
        assert!(newest.len() == 120 && newest.is_sorted_by(|one, next| one > next), "{newest:?}");
        oldest.reverse();
        assert_eq!(oldest, newest);
        let page = browser.get("jobs?filter=all").await;
        assert!(
            page.text().contains("newest first")
                && page.attributes("href").contains(&"jobs?filter=all&order=oldest".to_owned())
        );
    })
    .await;
}

/// Returns the links to the jobs of a list, page by page.
async fn jobs_of_all_pages(browser: &Browser, list: &str) -> Vec<String> {
    let (mut path, mut seen) = (list.to_owned(), Vec::new());
    loop {
        let links = browser.get(&path).await.attributes("href");
        seen.extend(links.iter().filter(|link| link.starts_with("job?id=")).cloned());
        match links.into_iter().find(|link| link.contains("after=")) {
            Some(next) => path = next,
            None => return seen,
        }
    }
}

#[tokio::test]
async fn filters_are_completed_with_names_of_the_database() {
    Stage::run(async |stage| {
        seed(stage, "lorem").await;
        stage.client.queue("mail/fast").save().await.unwrap();
        let browser = Browser::new(router(&stage.client).open_to_everyone());
        let completed = async |text: &str| {
            let query: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
            let json = browser.json(&format!("completions?filter={query}")).await;
            let completions = json["completions"].as_array().unwrap();
            completions.iter().map(|text| text.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            completed("state = 'dead' and queue = 'm").await,
            ["state = 'dead' and queue = 'mail/fast'"]
        );
        assert_eq!(completed("kind = 'hi").await, ["kind = 'hides'"]);
        assert!(completed(&"(".repeat(20_000)).await.is_empty());
        // Without the script the field has the beginnings.
        let page = browser.get("jobs").await;
        assert!(page.body.contains("list=\"filters\"") && page.body.contains("<datalist id=\"filters\">"));
        for beginning in ["queue = 'mail/fast'", "kind = 'hides'", "state = 'dead'", "priority "] {
            assert!(page.attributes("value").contains(&beginning.to_owned()), "{beginning}");
        }
    })
    .await;
}

#[tokio::test]
async fn viewer_does_not_see_arguments() {
    Stage::run(async |stage| {
        let seeds = seed(stage, "confidential").await;
        let app = router(&stage.client).auth(async |_| Ok::<_, StatusCode>(User::viewer("bob")));
        let browser = Browser::new(app);
        for path in [format!("job?id={}", seeds.completed), format!("api/job?id={}", seeds.completed)] {
            let page = browser.get(&path).await;
            assert!(
                page.status == StatusCode::OK && !page.body.contains("confidential"),
                "{path}: {}",
                page.body
            );
        }
    })
    .await;
}
