//! The arguments of the jobs of schedules.

use crate::harness::TestDb;
use crate::jobs::{double, sign_in};

on_one_shard!(schedule_keeps_the_version_of_its_arguments);
async fn schedule_keeps_the_version_of_its_arguments(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let schedules = db.client.schedules();
    schedules.upsert("double", double::schedule("* * * * * *", 21)).await.unwrap();
    assert_eq!(
        db.text("(select stored #> '{job,version}' from pgjobq.schedules where name = 'double')").await,
        "2"
    );
    // By hand and by a tick: arguments of the first version would be a text.
    let job = schedules.run_now("double").await.unwrap();
    assert_eq!(double::handle(job).wait(&db.client).await.unwrap().into_result().unwrap(), 42);
    db.until("exists (select from pgjobq.finished where meta ? 'tick' and output = '42')").await;
    assert_eq!(db.number("select count(*) from pgjobq.finished where outcome = 'dead'").await, 0);

    // What a program of the first version has set is lifted.
    schedules.remove("double").await.unwrap();
    db.run(
        r#"select pgjobq.upsert_schedule('old', '{"text": "@yearly", "timezone": "UTC", "missed": "skip", "overlap": "allow",
                                                  "job": {"kind": "double", "args": {"number": "4"}}}')"#,
    )
    .await;
    let job = schedules.run_now("old").await.unwrap();
    assert_eq!(double::handle(job).wait(&db.client).await.unwrap().into_result().unwrap(), 8);
    worker.shutdown().await.unwrap();
}

on_one_shard!(listed_schedules_hide_redacted_arguments);
async fn listed_schedules_hide_redacted_arguments(db: TestDb) {
    let worker = db.worker().build().await.unwrap(); // Records which arguments are redacted.
    let schedule = sign_in::schedule("@daily", "ada".to_owned(), "hunter2".to_owned());
    db.client.schedules().upsert("sign-in", schedule).await.unwrap();
    let shown = db.text("(select to_jsonb(l) from pgjobq.list_schedules('sign-in') l)").await;
    assert!(shown.contains("ada") && shown.contains("@daily") && !shown.contains("hunter2"), "{shown}");
    let listed = db.client.schedules().get("sign-in").await.unwrap();
    assert!(listed.args.contains("[redacted]") && listed.next_at.is_some(), "{listed:?}");
    worker.start().shutdown().await.unwrap();
}
