//! Crashes and lost leases: what the database does then is what it does in production.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use pgjobq::FailureReason;
use pgjobq::prelude::*;
use pgjobq::testing::{End, TestQueue};

use crate::jobs::{Ended, chain, crash, fail_until, log, lose, note};

#[pgjobq::test]
async fn crashed_job_runs_again(pg: TestQueue) -> Ended {
    let log = log(&pg);
    pg.state(pg.faults().clone());
    let handle = crash::enqueue(pg.client(), 1).await?;
    let drained = pg.drain().await?;
    assert_eq!((drained.lost(), drained.completed()), (1, 1), "{drained}");
    assert_eq!(log.take(), ["attempt 1", "attempt 2"]);
    let status = handle.status(pg.client()).await?.unwrap();
    assert_eq!((status.crashes, status.failures), (1, 0), "a crash is no failure");
    Ok(())
}

#[pgjobq::test]
async fn job_that_always_crashes_is_buried(pg: TestQueue) -> Ended {
    let log = log(&pg);
    pg.state(pg.faults().clone());
    let handle = crash::job(99).max_crashes(2).enqueue(pg.client()).await?;
    let drained = pg.drain().await?;
    assert_eq!((drained.lost(), drained.dead(), drained.completed()), (3, 1, 0), "{drained}");
    assert_eq!(log.take().len(), 3);
    let Outcome::Dead(failure) = handle.wait(pg.client()).await? else { panic!("it is dead") };
    assert_eq!(failure.errors.last().unwrap().reason, FailureReason::Crash);
    Ok(())
}

#[pgjobq::test]
async fn crash_after_a_job_lets_its_work_happen_twice(pg: TestQueue) -> Ended {
    let log = log(&pg);
    pg.faults().crash_after(note::KIND);
    note::enqueue(pg.client(), "a".to_owned()).await?;
    note::enqueue(pg.client(), "b".to_owned()).await?;
    let drained = pg.drain().await?;
    assert_eq!((drained.lost(), drained.completed()), (1, 2), "{drained}");
    let mut noted = log.take();
    noted.sort();
    assert_eq!(noted, ["a", "a", "b"]);
    Ok(())
}

#[pgjobq::test]
async fn crash_leaves_what_was_enqueued(pg: TestQueue) -> Ended {
    let log = log(&pg);
    pg.faults().crash_after(chain::KIND);
    chain::enqueue(pg.client(), 1).await?;
    let drained = pg.drain().await?;
    assert_eq!(
        (drained.lost(), drained.completed()),
        (1, 3),
        "the first attempt had enqueued one: {drained}"
    );
    assert_eq!(log.take().iter().filter(|note| *note == "0 left").count(), 2);
    Ok(())
}

#[pgjobq::test]
async fn crash_of_one_run_is_recovered_by_the_next(pg: TestQueue) -> Ended {
    let log = log(&pg);
    pg.faults().crash_after(note::KIND);
    note::enqueue(pg.client(), "a".to_owned()).await?;
    assert_eq!(pg.run_one().await?.unwrap().end, End::Lost);
    let ran = pg.run_one().await?.unwrap();
    assert_eq!((ran.end, ran.attempt), (End::Completed, 2));
    assert_eq!(log.take(), ["a", "a"]);
    Ok(())
}

#[pgjobq::test]
async fn transaction_of_a_crashed_job_is_rolled_back(pg: TestQueue) -> Ended {
    pgjobq::sqlx::query("create table numbers (number int primary key)").execute(pg.pool()).await.unwrap();
    pg.state(pg.faults().clone());
    write_and_crash::enqueue(pg.client()).await?;
    let drained = pg.drain().await?;
    assert_eq!((drained.lost(), drained.completed()), (1, 1), "{drained}");
    let numbers: Vec<i32> =
        pgjobq::sqlx::query_scalar("select number from numbers").fetch_all(pg.pool()).await.unwrap();
    assert_eq!(numbers, [2], "only the second attempt has committed");
    Ok(())
}

/// Writes the number of the attempt, and crashes in the first one.
#[job]
async fn write_and_crash(ctx: JobContext, tx: &mut Tx, faults: State<pgjobq::testing::Faults>) -> Result<()> {
    let attempt = ctx.attempt() as i32;
    sqlx::query("insert into numbers values ($1)").bind(attempt).execute(&mut **tx).await?;
    if attempt == 1 {
        faults.crash_here().await;
    }
    Ok(())
}

#[pgjobq::test]
async fn result_after_a_lost_lease_is_refused(pg: TestQueue) -> Ended {
    let log = log(&pg);
    pg.state(pg.faults().clone());
    let handle = lose::enqueue(pg.client()).await?;
    let drained = pg.drain().await?;
    assert_eq!((drained.lost(), drained.completed()), (1, 1), "{drained}");
    assert_eq!(log.take(), ["attempt 1, should stop: true", "attempt 2, should stop: false"]);
    assert_eq!(handle.wait(pg.client()).await?, Outcome::Completed(2));
    Ok(())
}

#[pgjobq::test]
async fn lease_lost_during_a_job_costs_its_failure(pg: TestQueue) -> Ended {
    pg.faults().lose_lease_during(fail_until::KIND);
    let handle = fail_until::enqueue(pg.client(), 2).await?;
    let drained = pg.drain().await?;
    assert_eq!((drained.lost(), drained.retried(), drained.completed()), (1, 0, 1), "{drained}");
    let status = handle.status(pg.client()).await?.unwrap();
    assert_eq!((status.crashes, status.failures), (1, 0), "the error of the first attempt was refused");
    Ok(())
}

#[pgjobq::test]
async fn fault_without_a_running_job_is_a_mistake(pg: TestQueue) {
    let faults = pg.faults().clone();
    let panic = AssertUnwindSafe(faults.lose_lease_here()).catch_unwind().await.unwrap_err();
    let message = panic.downcast::<&str>().unwrap();
    assert!(message.starts_with("no job runs here: "), "{message}");
}

#[test]
#[should_panic(expected = "no job function has the kind `crahs`, so this fault would never happen")]
fn fault_of_an_unknown_kind_fails_the_test() {
    pgjobq::testing::Faults::default().crash_after("crahs");
}
