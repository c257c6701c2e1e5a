//! Connections that die inside the finish of a step that adds others.

use pgjobq::prelude::*;

use crate::gate::Gate;
use crate::growing::{growing_square, growing_sum, outcome};
use crate::harness::TestDb;

/// Adds five steps, and then waits at a gate.
#[job(retries = 0)]
async fn killed_growth_spread(ctx: JobContext, gate: String) -> Result<u32> {
    let growth = ctx.workflow()?;
    let squares: Vec<Step<u64>> = (1..=4).map(|n| growth.add(growing_square::step(n))).collect();
    growth.add(growing_sum::step(gather(squares.iter().map(Step::output))));
    Gate::named(gate).enter(&ctx).await;
    Ok(ctx.attempt())
}

/// Stops the statement that inserts or updates rows of a table, until the test gives the lock back.
const STOPS: &str = "
    create function public.stop_here() returns trigger language plpgsql as $$
    begin
        perform pg_advisory_xact_lock_shared(tg_argv[0]::int);
        return null;
    end $$;
    create trigger stop_1 after delete on pgjobq.jobs execute function public.stop_here(1);
    create trigger stop_2 after insert on pgjobq.jobs execute function public.stop_here(2);
    create trigger stop_3 after insert on pgjobq.steps execute function public.stop_here(3);
    create trigger stop_4 after update on pgjobq.workflows for each row when (new.live > old.live)
        execute function public.stop_here(4)";

/// The sessions that wait there.
const STOPPED: &str = "from pg_stat_activity where datname = current_database() and wait_event = 'advisory'";

on_one_shard!(growth_is_whole_or_absent_whichever_statement_dies);
async fn growth_is_whole_or_absent_whichever_statement_dies(db: TestDb) {
    let gate = Gate::new();
    let mut flow = Workflow::new("killed");
    let spread = flow.add(killed_growth_spread::step(&gate.name));
    let run = flow.enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    gate.until(|count| count.inside == 1).await;
    db.run_beside_a_worker(STOPS).await;
    let mut locks = Vec::new();
    for place in 1..=4 {
        let mut lock = db.pool.begin().await.unwrap();
        sqlx::query("select pg_advisory_xact_lock($1)")
            .bind(i64::from(place))
            .execute(&mut *lock)
            .await
            .unwrap();
        locks.push(lock);
    }
    gate.open();
    for lock in locks {
        db.until(&format!("exists (select {STOPPED})")).await;
        db.run(&format!("select pg_terminate_backend(pid, 30000) {STOPPED}")).await;
        let left = "select count(*) from pgjobq.jobs j, pgjobq.leases l where l.tickets @> j.ticket";
        assert_eq!(db.number(left).await, 1, "the step has not completed");
        assert_eq!(db.number("select count(*) from pgjobq.steps").await, 1, "and has added nothing");
        lock.rollback().await.unwrap(); // The worker sends the result again, which comes to the next stop.
    }
    assert_eq!(outcome(&db, &run).await, WorkflowOutcome::Completed);
    assert_eq!(db.number("select count(*) from pgjobq.steps where outcome = 'completed'").await, 6);
    let Outcome::Completed(attempt) = run.output(&db.client, &spread).await.unwrap() else { panic!() };
    assert_eq!(attempt, 1, "no result was lost, so the step did not run again");
    worker.shutdown().await.unwrap();
}

on_one_shard!(growth_of_a_lost_attempt_is_that_of_the_next);
async fn growth_of_a_lost_attempt_is_that_of_the_next(db: TestDb) {
    let gate = Gate::new();
    let mut flow = Workflow::new("lost");
    let spread = flow.add(killed_growth_spread::step(&gate.name));
    let run = flow.enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    gate.until(|count| count.inside == 1).await;
    db.run_beside_a_worker(STOPS).await;
    let mut lock = db.pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(3)").execute(&mut *lock).await.unwrap();
    gate.open();
    db.until(&format!("exists (select {STOPPED})")).await;
    // Another session waits for the job's row, so it takes the job from its lease before the finish is repeated.
    let take = "update pgjobq.jobs set ticket = null, run_at = clock_timestamp(), attempt = attempt + 1";
    let kill = async {
        db.until("exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
                          and query like 'update pgjobq.jobs set ticket%')")
            .await;
        db.run(&format!("select pg_terminate_backend(pid, 30000) {STOPPED}")).await;
    };
    tokio::join!(db.run(take), kill);
    lock.rollback().await.unwrap();
    assert_eq!(db.without_backoff(outcome(&db, &run)).await, WorkflowOutcome::Completed);
    assert_eq!(db.number("select count(*) from pgjobq.steps where outcome = 'completed'").await, 6);
    let Outcome::Completed(attempt) = run.output(&db.client, &spread).await.unwrap() else { panic!() };
    assert_eq!(attempt, 2, "the step ran again");
    worker.shutdown().await.unwrap();
}
