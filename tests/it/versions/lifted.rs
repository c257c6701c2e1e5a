//! Arguments of older versions.

use pgjobq::prelude::*;
use pgjobq::{FailureReason, RequeueOutcome};

use super::{Amount, price, stored, tax};
use crate::harness::TestDb;
use crate::probe::end_of;

fn euros(cents: i64) -> Amount {
    Amount { cents, currency: "EUR".to_owned() }
}

on_one_and_eight_shards!(older_arguments_are_lifted_step_by_step);
async fn older_arguments_are_lifted_step_by_step(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let jobs = [
        stored(&db, "price", r#"{"cents": 5}"#, 1).await,
        stored(&db, "price", r#"{"amount": "7 USD"}"#, 2).await,
        stored(&db, "price", r#"{"amount": {"cents": 9, "currency": "CHF"}}"#, 3).await,
        stored(&db, "cost", r#"{"amount": "11 SEK"}"#, 2).await,
        price::enqueue(&db.client, euros(13)).await.unwrap().id(),
    ];
    for (job, expected) in jobs.into_iter().zip(["5 EUR", "7 USD", "9 CHF", "11 SEK", "13 EUR"]) {
        assert_eq!(end_of(&db.client, &price::handle(job)).await, Outcome::Completed(expected.to_owned()));
    }
    worker.shutdown().await.unwrap();
}

on_one_shard!(first_version_costs_no_byte);
async fn first_version_costs_no_byte(db: TestDb) {
    crate::lifecycle::double::enqueue(&db.client, 2).await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.jobs where meta is not null").await, 0);
    price::enqueue(&db.client, euros(1)).await.unwrap();
    assert_eq!(db.text("select meta from pgjobq.jobs where kind = 'price'").await, r#"{"version": 3}"#);
}

on_one_shard!(edited_version_is_read_as_by_a_claim);
async fn edited_version_is_read_as_by_a_claim(db: TestDb) {
    for meta in [r#"{"version": "2"}"#, r#"{"version": 2, "traceparent": 7, "parent": "nobody"}"#] {
        let job = stored(&db, "price", r#"{"amount": "7 USD"}"#, 2).await;
        db.run(&format!("update pgjobq.jobs set meta = '{meta}'")).await;
        let worker = db.worker().build().await.unwrap().start();
        let end = end_of(&db.client, &price::handle(job)).await;
        assert_eq!(end, Outcome::Completed("7 USD".to_owned()), "{meta}");
        worker.shutdown().await.unwrap();
    }
}

on_one_shard!(version_stays_with_a_retry_and_a_requeue);
async fn version_stays_with_a_retry_and_a_requeue(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let retried = stored(&db, "price", r#"{"amount": "-7 USD"}"#, 2).await;
    let end = end_of(&db.client, &price::handle(retried)).await;
    assert_eq!(end, Outcome::Completed("-7 USD".to_owned()));

    let dead = stored(&db, "price", r#"{"amount": "nothing"}"#, 2).await;
    let Outcome::Dead(failure) = db.without_backoff(end_of(&db.client, &price::handle(dead))).await else {
        panic!("arguments that cannot be lifted are fatal");
    };
    assert!(failure.errors.iter().all(|failed| failed.reason == FailureReason::Decode), "{failure:?}");
    assert_eq!(
        failure.message(),
        "the arguments cannot be lifted from version 2 to 3: `nothing` has no currency"
    );
    db.run("update pgjobq.finished set args = '{\"amount\": \"8 USD\"}' where outcome = 'dead'").await;
    assert_eq!(db.client.job(dead).requeue().await.unwrap(), RequeueOutcome::Requeued);
    assert_eq!(end_of(&db.client, &price::handle(dead)).await, Outcome::Completed("8 USD".to_owned()));
    worker.shutdown().await.unwrap();
}

on_one_shard!(requeue_as_another_job_takes_its_version);
async fn requeue_as_another_job_takes_its_version(db: TestDb) {
    let job = stored(&db, "price", r#"{"cents": 5}"#, 1).await;
    db.client.job(job).cancel().await.unwrap();
    assert_eq!(
        price::handle(job).requeue_as(&db.client, price::job(euros(4))).await.unwrap(),
        RequeueOutcome::Requeued
    );
    let version = "select coalesce(meta->>'version', 'none') from pgjobq.jobs";
    assert_eq!(db.text(version).await, "3");
    db.client.job(job).cancel().await.unwrap();
    db.client.job(job).requeue_as(crate::lifecycle::double::job(4)).await.unwrap();
    assert_eq!(db.text(version).await, "none");
}

on_one_shard!(steps_and_replaced_jobs_carry_their_version);
async fn steps_and_replaced_jobs_carry_their_version(db: TestDb) {
    let mut flow = Workflow::new("prices");
    let first = flow.add(price::step(euros(1)));
    flow.add(tax::step(7_u16).after(&first));
    flow.enqueue(&db.client).await.unwrap();
    let versions = "select string_agg(meta->>'version', ' ') from pgjobq.jobs";
    assert_eq!(db.text(versions).await, "3 3");
    db.run("delete from pgjobq.jobs").await;

    // The holder of a unique key was enqueued by older code.
    let unique = "unique_key => 'a', unique_while => 'waiting'";
    db.run(&format!("select pgjobq.enqueue('price', '{{\"cents\": 5}}', delay => '1 hour', {unique})")).await;
    price::job(euros(6))
        .unique("a")
        .unique_while(UniqueWhile::Waiting)
        .on_duplicate(OnDuplicate::ReplaceArgs)
        .enqueue(&db.client)
        .await
        .unwrap();
    db.until("(select meta->>'version' = '3' and args->'amount'->>'cents' = '6' from pgjobq.jobs)").await;
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 1);
}

on_one_shard!(quarantined_job_is_lifted);
async fn quarantined_job_is_lifted(db: TestDb) {
    let job = stored(&db, "price", r#"{"cents": 5}"#, 1).await;
    let newer = stored(&db, "price", "{}", 4).await;
    db.run("update pgjobq.jobs set crashes = 1").await;
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &price::handle(job)).await, Outcome::Completed("5 EUR".to_owned()));
    worker.shutdown().await.unwrap();
    assert_eq!(db.number(&format!("select attempt from pgjobq.jobs where id = '{newer}'")).await, 0);
}

on_one_shard!(impossible_version_is_refused_in_sql);
async fn impossible_version_is_refused_in_sql(db: TestDb) {
    for version in ["0", "-1", "32768", "null"] {
        let sql = format!("select pgjobq.enqueue('price', version => {version})");
        let error = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&db.pool).await.unwrap_err();
        let error = error.into_database_error().unwrap();
        assert_eq!(error.message(), format!("the version of arguments is 1 to 32767, not {version}"));
    }
}
