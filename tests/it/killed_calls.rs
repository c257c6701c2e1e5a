//! Calls of a person whose process or connection dies in the middle: what the database says stays true, and the call can be repeated.

use pgjobq::prelude::*;
use sqlx::{Postgres, Transaction};

use crate::harness::TestDb;

/// The sessions that wait there.
const STOPPED: &str = "from pg_stat_activity where datname = current_database() and wait_event = 'advisory'";

/// A place in the middle of a call at which it waits.
struct Stop<'d> {
    db: &'d TestDb,
    lock: Transaction<'static, Postgres>,
}

impl<'d> Stop<'d> {
    /// Stops updates of a table, after rows for which this condition is true.
    async fn at(db: &'d TestDb, table: &str, when: &str) -> Self {
        db.run(&format!(
            "create function public.stop_here() returns trigger language plpgsql as $$
             begin
                 perform pg_advisory_xact_lock_shared(1);
                 return null;
             end $$;
             create trigger stop after update on pgjobq.{table} for each row when ({when})
                 execute function public.stop_here()"
        ))
        .await;
        let mut lock = db.pool.begin().await.unwrap();
        sqlx::query("select pg_advisory_xact_lock(1)").execute(&mut *lock).await.unwrap();
        Self { db, lock }
    }

    /// Waits until a call is there.
    async fn reached(&self) {
        self.db.until(&format!("exists (select {STOPPED})")).await;
    }

    /// Ends the session of the call that is there, so that its transaction is rolled back.
    async fn kill(&self) {
        self.reached().await;
        self.db.run(&format!("select pg_terminate_backend(pid, 30000) {STOPPED}")).await;
    }

    /// Lets all calls pass.
    async fn end(self) {
        self.lock.rollback().await.unwrap();
    }
}

on_one_shard!(killed_end_of_an_audit_record_is_repeated);
async fn killed_end_of_an_audit_record_is_repeated(db: TestDb) {
    let noted = db.client.audit("cancel", "job 7").by("ada").note().await.unwrap();
    let outcome = async || db.client.audit_records(None, 1).await.unwrap().remove(0).outcome;
    let stop = Stop::at(&db, "audit", "new.outcome is not null").await;
    let (ended, ()) = tokio::join!(noted.clone().end("cancelled"), stop.kill());
    ended.unwrap_err();
    assert_eq!(outcome().await, None, "nothing is known of the outcome, and the record says so");

    // The process dies after it has sent the statement, which the server completes.
    tokio::select! {
        ended = noted.clone().end("cancelled") => panic!("it does not pass the stop: {ended:?}"),
        () = stop.reached() => {}
    }
    assert_eq!(outcome().await, None);
    stop.end().await;
    db.until("exists (select from pgjobq.audit where outcome is not null)").await;
    for repeated in ["cancelled", "not cancelled"] {
        noted.clone().end(repeated).await.unwrap();
        assert_eq!(outcome().await.as_deref(), Some("cancelled"), "the first outcome stays");
    }
}

#[job(retries = 0)]
async fn killed_calls_fail() -> Result<()> {
    Err("no".into())
}

#[job(retain = "1h")]
async fn killed_calls_note() -> Result<u32> {
    Ok(7)
}

on_one_shard!(killed_resume_of_a_step_is_repeated);
async fn killed_resume_of_a_step_is_repeated(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let mut flow = Workflow::new("killed");
    let failing = flow.add(killed_calls_fail::step());
    let held = flow.add(killed_calls_note::step().after(&failing).hold_on_failure());
    let run = flow.enqueue(&db.client).await.unwrap();
    let is_held = format!("(select state = 'held' from pgjobq.job_states where id = '{}')", held.id());
    db.until(&is_held).await;
    let stop = Stop::at(&db, "steps", "old.held > 0 and new.held = 0").await;
    let (resumed, ()) = tokio::join!(run.resume(&db.client, &held), stop.kill());
    resumed.unwrap_err();
    assert_eq!(db.text(&is_held).await, "true");

    // The process dies after it has sent the statement, and a person repeats the call before the server has completed it.
    tokio::select! {
        resumed = run.resume(&db.client, &held) => panic!("it does not pass the stop: {resumed:?}"),
        () = stop.reached() => {}
    }
    assert_eq!(db.text(&is_held).await, "true");
    let complete = async {
        db.until(
            "exists (select from pg_stat_activity where datname = current_database() and query like '%resume_step%'
                      and wait_event_type = 'Lock' and wait_event <> 'advisory')",
        )
        .await;
        stop.end().await;
    };
    let (repeated, ()) = tokio::join!(run.resume(&db.client, &held), complete);
    assert!(!repeated.unwrap(), "the first call has resumed it");
    // Nobody has notified the worker: its next poll finds the step.
    assert_eq!(run.output(&db.client, &held).await.unwrap(), Outcome::Completed(7));
    assert!(!run.resume(&db.client, &held).await.unwrap());
    let attempts = format!("select attempt from pgjobq.finished where id = '{}'", held.id());
    assert_eq!(db.number(&attempts).await, 1);
    worker.shutdown().await.unwrap();
}
