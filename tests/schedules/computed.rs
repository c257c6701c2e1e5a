//! The values that the jobs of schedules compute from their arguments: SQL computes none of them otherwise.

use pgjobq::prelude::*;
use pgjobq::{NewSchedule, ScheduleError};

use crate::harness::TestDb;
use crate::jobs::heavy;

/// Weighs more than its parts, as only this code knows.
#[job(rate = "100 per minute", weight = 1 + pages.len() / 10)]
async fn import(pages: Vec<u32>) {
    let _ = pages;
}

#[job(rate = "100 per minute", weight = pages)]
async fn print(pages: u32) {
    let _ = pages;
}

/// Has a key and a unique key if it is of a tenant, as only this code knows.
#[job(key = tenant.map(|id| format!("tenant:{id}")), unique = tenant.map(|id| format!("sync:{id}")), on_duplicate = "replace")]
async fn sync(tenant: Option<u32>) {
    let _ = tenant;
}

/// Waits in a queue of its own.
#[job(queue = "early", priority = "high", retries = 4, max_crashes = 2, unique = args, unique_while = "waiting")]
async fn early(n: i64) {
    let _ = n;
}

/// Sets a schedule, enqueues its job, and returns the key, the weight and the unique key that are stored, `-` for none.
async fn stored(db: &TestDb, schedule: NewSchedule) -> String {
    let schedules = db.client.schedules();
    schedules.upsert("s", schedule).await.unwrap();
    let job = schedules.run_now("s").await.unwrap();
    db.text(&format!(
        "(select concat_ws(' ', coalesce(key, '-'), coalesce(weight, 1), coalesce(unique_key, '-')) from pgjobq.jobs where id = '{job}')"
    ))
    .await
}

on_one_and_eight_shards!(jobs_have_the_values_that_their_code_computes);
async fn jobs_have_the_values_that_their_code_computes(db: TestDb) {
    assert_eq!(stored(&db, import::schedule("@daily", vec![1, 2, 3])).await, "- 1 -");
    assert_eq!(stored(&db, import::schedule("@daily", vec![0; 25])).await, "- 3 -");
    assert_eq!(stored(&db, sync::schedule("@daily", None)).await, "- 1 -");
    assert_eq!(stored(&db, sync::schedule("@daily", Some(7))).await, "tenant:7 1 sync:7");
    assert_eq!(stored(&db, print::schedule("@daily", 50)).await, "- 50 -");
    let light = NewSchedule::new("@daily", print::job(50).weight(1));
    assert_eq!(stored(&db, light).await, "- 1 -", "the call wins over the argument");
}

on_one_shard!(ticks_have_the_values_that_their_code_computes);
async fn ticks_have_the_values_that_their_code_computes(db: TestDb) {
    let schedules = db.client.schedules();
    db.client.queue("default").pause().await.unwrap();
    schedules.upsert("import", import::schedule("* * * * * *", vec![1, 2, 3])).await.unwrap();
    schedules.upsert("sync", sync::schedule("* * * * * *", None)).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until("(select count(distinct kind) = 2 from pgjobq.jobs where meta ? 'tick')").await;
    let missed = "select count(*) from pgjobq.schedules where last_missed is not null";
    assert_eq!(db.number(missed).await, 0);
    worker.shutdown().await.unwrap();
}

on_one_shard!(jobs_of_code_schedules_are_those_of_their_functions);
async fn jobs_of_code_schedules_are_those_of_their_functions(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    db.until("exists (select from pgjobq.schedules where name = 'heavy')").await;
    worker.shutdown().await.unwrap();
    let job = db.client.schedules().run_now("heavy").await.unwrap();
    let stored = format!("(select concat_ws(' ', attributes, weight) from pgjobq.jobs where id = '{job}')");
    let scheduled = db.text(&stored).await;
    assert_eq!(scheduled, r#"{"team": "ops"} 50"#);
    let enqueued = heavy::enqueue(&db.client).await.unwrap().id();
    assert_eq!(db.text(&stored.replace(&job.to_string(), &enqueued.to_string())).await, scheduled);
}

on_one_shard!(job_of_an_unrecorded_kind_has_its_policy);
async fn job_of_an_unrecorded_kind_has_its_policy(db: TestDb) {
    db.run("delete from pgjobq.kinds").await;
    let schedules = db.client.schedules();
    schedules.upsert("early", early::schedule("@daily", 7)).await.unwrap();
    assert_eq!(schedules.get("early").await.unwrap().queue, "early");
    let job = schedules.run_now("early").await.unwrap();
    let stored = "select concat_ws(' ', q.name, j.priority, j.retries, j.max_crashes, j.unique_key)
                    from pgjobq.jobs j join pgjobq.queues q on q.id = j.queue_id";
    assert_eq!(db.text(&format!("({stored} where j.id = '{job}')")).await, "early 2 4 2 {\"n\": 7}");
    let duplicate = schedules.run_now("early").await.unwrap_err();
    assert!(matches!(duplicate, ScheduleError::NotEnqueued { .. }), "{duplicate}");
}
