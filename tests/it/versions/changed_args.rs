//! A person changes the arguments of a job.

use pgjobq::prelude::*;
use pgjobq::{Cause, RequeueOutcome, SetArgsError, SetArgsOutcome};
use serde_json::json;

use super::{Amount, price, stored};
use crate::gate::Gate;
use crate::harness::TestDb;
use crate::lifecycle::double;
use crate::probe::end_of;

fn euros(cents: i64) -> Amount {
    Amount { cents, currency: "EUR".to_owned() }
}

/// Lets arguments kill a job.
async fn dead(db: &TestDb) -> JobId {
    let job = stored(db, "price", r#"{"amount": "much"}"#, 2).await;
    let end = db.without_backoff(end_of(&db.client, &price::handle(job))).await;
    assert!(matches!(end, Outcome::Dead(_)), "{end:?}");
    job
}

on_one_and_eight_shards!(job_that_died_of_its_arguments_gets_others);
async fn job_that_died_of_its_arguments_gets_others(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let typed = dead(&db).await;
    let job = db.client.job(typed);
    let set = job.set_args(price::job(euros(6))).by("ada").because("a typo").await.unwrap();
    assert_eq!(set, SetArgsOutcome::Changed);
    assert_eq!(job.requeue().await.unwrap(), RequeueOutcome::Requeued);
    assert_eq!(end_of(&db.client, &price::handle(typed)).await, Outcome::Completed("6 EUR".to_owned()));
    let edited = "select concat_ws(' ', meta->'edited'->>'by', meta->'edited'->>'reason', meta->'edited'->>'role' = session_user)
                    from pgjobq.finished where outcome = 'completed'";
    assert_eq!(db.text(edited).await, "ada a typo t");

    // As JSON, in the version that the job has.
    let untyped = dead(&db).await;
    let job = db.client.job(untyped);
    assert_eq!(job.set_args(json!({"amount": "7 USD"})).await.unwrap(), SetArgsOutcome::Changed);
    job.requeue().await.unwrap();
    assert_eq!(end_of(&db.client, &price::handle(untyped)).await, Outcome::Completed("7 USD".to_owned()));

    // As JSON of another version, and in SQL.
    let other = dead(&db).await;
    let job = db.client.job(other);
    assert_eq!(job.set_args(json!({"cents": 8})).version(1).await.unwrap(), SetArgsOutcome::Changed);
    db.run(&format!("select pgjobq.set_args('{other}', '{{\"cents\": 9}}', by => 'bob')")).await;
    job.requeue().await.unwrap();
    assert_eq!(end_of(&db.client, &price::handle(other)).await, Outcome::Completed("9 EUR".to_owned()));
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(waiting_job_gets_other_arguments);
async fn waiting_job_gets_other_arguments(db: TestDb) {
    let job = stored(&db, "price", r#"{"cents": 5}"#, 1).await;
    let ticket = format!("select ticket from pgjobq.jobs where id = '{job}'");
    let before = db.number(&ticket).await;
    let handle = price::handle(job);
    assert_eq!(
        handle.set_args(&db.client, price::job(euros(6))).by("ada").await.unwrap(),
        SetArgsOutcome::Changed
    );
    assert_eq!(db.number(&ticket).await, before, "it keeps its place in line");
    let explanation = db.client.explain(job).await.unwrap();
    let last = &explanation.reasons.last().unwrap().cause;
    assert!(matches!(last, Cause::Edited { by, .. } if by == "ada"), "{last:?}");
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &handle).await, Outcome::Completed("6 EUR".to_owned()));
    worker.shutdown().await.unwrap();
}

on_one_shard!(attributes_follow_typed_arguments);
async fn attributes_follow_typed_arguments(db: TestDb) {
    let job = double::job(1).attribute("size", 1).enqueue(&db.client).await.unwrap().id();
    let attributes = "select coalesce(attributes::text, 'none') from pgjobq.jobs";
    db.client.job(job).set_args(json!({"number": 2})).await.unwrap();
    assert_eq!(db.text(attributes).await, r#"{"size": 1}"#);
    db.client.job(job).set_args(double::job(2).attribute("size", 2)).await.unwrap();
    assert_eq!(db.text(attributes).await, r#"{"size": 2}"#);
    db.client.job(job).set_args(double::job(2)).await.unwrap();
    assert_eq!(db.text(attributes).await, "none");
}

on_one_shard!(running_job_keeps_its_arguments);
async fn running_job_keeps_its_arguments(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let gate = Gate::new();
    let job = gate.job().enqueue(&db.client).await.unwrap();
    gate.until(|count| count.inside == 1).await;
    let refused = db.client.job(job.id()).set_args(json!({"gate": "another"})).await.unwrap();
    assert_eq!(refused, SetArgsOutcome::Running);
    let sql = format!("select pgjobq.set_args('{}', '{{}}')", job.id());
    let error = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone())).execute(&db.pool).await.unwrap_err();
    assert!(error.to_string().contains("were not changed: it runs"), "{error}");
    gate.open();
    crate::gate::result(&db, &job).await;
    let refused = db.client.job(job.id()).set_args(json!({"gate": "another"})).await.unwrap();
    assert_eq!(refused, SetArgsOutcome::Completed);
    let refused = db.client.job(JobId::new()).set_args(json!({})).await.unwrap();
    assert_eq!(refused, SetArgsOutcome::NotFound);
    worker.shutdown().await.unwrap();
}

on_one_shard!(arguments_that_fit_no_job_are_refused);
async fn arguments_that_fit_no_job_are_refused(db: TestDb) {
    let job = stored(&db, "price", r#"{"cents": 5}"#, 1).await;
    let args = "select args::text from pgjobq.jobs";
    let set = |args: serde_json::Value| db.client.job(job).set_args(args);
    assert!(matches!(set(json!([5])).await, Err(SetArgsError::NoObject(_))));
    assert!(matches!(set(json!({})).version(0).await, Err(SetArgsError::Version(0))));
    assert!(matches!(set(json!({"a": "\0"})).await, Err(SetArgsError::Args(_))));
    let error = db.client.job(job).set_args(double::job(1)).await.unwrap_err();
    let SetArgsError::OtherKind(error) = error else { panic!("{error}") };
    assert_eq!((error.found.as_str(), error.expected), ("price", "double"));
    let other = double::handle(job).set_args(&db.client, double::job(1)).await;
    assert!(matches!(other, Err(SetArgsError::OtherKind(_))));
    assert_eq!(db.text(args).await, r#"{"cents": 5}"#);
    // A transaction of the caller's would keep the lane locked.
    let mut connection = db.pool.acquire().await.unwrap();
    sqlx::raw_sql("begin").execute(&mut *connection).await.unwrap();
    let held = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("select pgjobq.set_args('{job}', '{{}}')")));
    let error = held.execute(&mut *connection).await.unwrap_err();
    assert!(error.to_string().contains("must be called in a transaction of its own"), "{error}");
    sqlx::raw_sql("rollback").execute(&mut *connection).await.unwrap();
}

on_one_shard!(locked_job_is_left);
async fn locked_job_is_left(db: TestDb) {
    let job = stored(&db, "price", r#"{"cents": 5}"#, 1).await;
    let mut holder = db.pool.begin().await.unwrap();
    sqlx::raw_sql("select from pgjobq.jobs for update").execute(&mut *holder).await.unwrap();
    let answer = db.client.job(job).set_args(json!({"cents": 6})).await.unwrap();
    assert_eq!(answer, SetArgsOutcome::Locked);
    holder.rollback().await.unwrap();
    let answer = db.client.job(job).set_args(json!({"cents": 6})).await.unwrap();
    assert_eq!(answer, SetArgsOutcome::Changed);
}
