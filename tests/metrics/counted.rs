//! What happens to jobs is counted.

use pgjobq::prelude::*;

use crate::harness::TestDb;
use crate::recorded::Recorded;

#[job(queue = "metrics_mail", retries = 1, backoff = "1ms")]
async fn metrics_send(fails: u32, ctx: JobContext) -> Result<()> {
    if ctx.attempt() <= fails { Err("no such user".into()) } else { Ok(()) }
}

#[job(
    queue = "metrics_mail",
    kind = "_-.:/_-.:/_-.:/_-.:/_-.:/_-.:/_-.:/_-.:/_-.:/_-.:/_-.:/_-.:/_-.:/_-.:/_-.:/_-.:/_-.:/_-.:/_-.:/_-.:/"
)]
async fn metrics_punctuation() {}

on_one_shard!(kind_of_a_hundred_punctuation_characters_is_a_label);
async fn kind_of_a_hundred_punctuation_characters_is_a_label(db: TestDb) {
    let recorded = Recorded::default();
    let client = Client::builder(db.pool.clone()).measured_by(recorded.clone()).build().unwrap();
    client.queue("metrics_mail").save().await.unwrap();
    let worker = Worker::builder(&client).queue("metrics_mail", 5).build().await.unwrap().start();
    metrics_punctuation::enqueue(&client).await.unwrap();
    let kind = "_-.:/".repeat(20);
    let ended = format!("pgjobq.jobs.ended{{queue=metrics_mail,kind={kind},outcome=completed}}");
    recorded.until(&ended, 1.0).await;
    worker.shutdown().await.unwrap();
    client.close().await;
}

on_one_shard!(outcomes_of_jobs_and_attempts_are_counted);
async fn outcomes_of_jobs_and_attempts_are_counted(db: TestDb) {
    let recorded = Recorded::default();
    let client = Client::builder(db.pool.clone()).measured_by(recorded.clone()).build().unwrap();
    client.queue("metrics_mail").save().await.unwrap();
    let worker = Worker::builder(&client).queue("metrics_mail", 5).build().await.unwrap().start();
    let jobs = client.enqueue_all([metrics_send::job(0), metrics_send::job(1), metrics_send::job(2)]);
    assert_eq!(jobs.await.unwrap().new, 3);
    db.without_backoff(db.until("not exists (select from pgjobq.jobs)")).await;
    let waiting =
        metrics_send::job(0).delay(std::time::Duration::from_secs(600)).enqueue(&client).await.unwrap();
    waiting.cancel(&client).await.unwrap();
    worker.shutdown().await.unwrap();
    client.close().await;
    let of = "{queue=metrics_mail,kind=metrics_send";
    for (name, value) in [
        (format!("messaging.client.sent.messages{of}}}"), 4.0),
        (format!("messaging.client.consumed.messages{of}}}"), 5.0),
        (format!("messaging.process.duration{of},outcome=completed}}"), 2.0),
        (format!("messaging.process.duration{of},outcome=retried}}"), 2.0),
        (format!("messaging.process.duration{of},outcome=dead}}"), 1.0),
        (format!("pgjobq.job.retries{of}}}"), 2.0),
        (format!("pgjobq.jobs.ended{of},outcome=completed}}"), 2.0),
        (format!("pgjobq.jobs.ended{of},outcome=dead}}"), 1.0),
        (format!("pgjobq.jobs.ended{of},outcome=cancelled}}"), 1.0),
        (format!("pgjobq.jobs.ended{of},outcome=retried}}"), 0.0),
        (format!("pgjobq.job.wait.duration{of}}}"), 5.0),
        ("pgjobq.batch.size{operation=enqueue}".to_owned(), 2.0),
    ] {
        recorded.until(&name, value).await;
    }
    for operation in ["claim_observed", "finish", "enqueue_many", "enqueue_one"] {
        let name = format!("messaging.client.operation.duration{{operation={operation},outcome=ok}}");
        assert!(recorded.of(&name) >= 1.0, "{name}: {recorded:?}");
    }
}
