//! The timeline of a job is true.

use pgjobq_web::router;

use crate::browser::Browser;
use crate::jobs::seed;
use crate::stage::Stage;

/// Returns the entries of a job's timeline, from the newest to the oldest.
async fn timeline(browser: &Browser, job: &str) -> Vec<String> {
    let page = browser.get(&format!("job?id={job}")).await.body;
    let (_, list) = page.split_once("<ol class=\"timeline\">").unwrap();
    let entries = list.split_once("</ol>").unwrap().0.split("<strong>").skip(1);
    entries.map(|entry| entry.split_once("</strong>").unwrap().0.to_owned()).collect()
}

#[tokio::test]
async fn requeue_stands_between_the_attempts_before_and_the_enqueue() {
    Stage::run(async |stage| {
        let dead = seed(stage, "lorem").await.dead.to_string();
        let browser = Browser::new(router(&stage.client).open_to_everyone());
        assert_eq!(timeline(&browser, &dead).await, ["dead", "attempt 1", "enqueued"]);
        let enqueued = browser.json(&format!("job?id={dead}")).await;
        assert!(enqueued["first_enqueued_at"].is_null());
        for _ in 0..2 {
            browser.post("act-on-job", &[("id", &*dead), ("action", "requeue")]).await;
            let worker = stage.worker().build().await.unwrap().start();
            stage.until(&format!("exists (select from pgjobq.finished where id = '{dead}')")).await;
            worker.shutdown().await.unwrap();
        }
        let expected = ["dead", "attempt 3", "requeued", "attempt 2", "attempt 1", "enqueued"];
        assert_eq!(timeline(&browser, &dead).await, expected);
        let requeued = browser.json(&format!("job?id={dead}")).await;
        assert_eq!(requeued["first_enqueued_at"], enqueued["created_at"]);
    })
    .await;
}

#[tokio::test]
async fn retry_of_a_step_stands_in_its_timeline() {
    Stage::run(async |stage| {
        let flow = seed(stage, "lorem").await.workflow.to_string();
        let browser = Browser::new(router(&stage.client).open_to_everyone());
        let step = stage.text("select id from pgjobq.finished where kind = 'second'").await;
        browser.post("act-on-workflow", &[("id", &*flow), ("action", "retry_failed")]).await;
        assert_eq!(timeline(&browser, &step).await, ["retried", "attempt 1", "enqueued"]);
    })
    .await;
}
