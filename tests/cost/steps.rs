//! The cost of a step, and that a job without a workflow pays nothing for workflows.

use sqlx::AssertSqlSafe;

use crate::limits::at_most;
use crate::server::Db;
use crate::session::{Cost, Session};

/// The steps of one batch.
const BATCH: i32 = 500;

/// A session with `flows.sql`, and a worker 7 whose finishes are made there.
async fn session(db: &Db) -> Session {
    let mut session = Session::new(db).await;
    session.run(include_str!("../it/flows.sql")).await;
    session.run("select pgjobq.register_worker(0::smallint, 7, 'by hand')").await;
    session
}

/// Returns the cost of a call for each step of a batch.
async fn cost(session: &mut Session, call: &str) -> Cost {
    let explained = format!("explain (analyze, wal, buffers, format json) select {call}");
    let cost = session.cost(sqlx::query(AssertSqlSafe(explained))).await;
    let each = |figure: f64| figure / f64::from(BATCH);
    Cost { wal: each(cost.wal), buffers: each(cost.buffers), milliseconds: each(cost.milliseconds) }
}

/// One step, and a batch of others that each get its output.
fn fan_out() -> String {
    let children = r#", {"after": {"1": "O"}, "inputs": {"x": {"output": 1}}}"#.repeat(BATCH as usize);
    format!("flows.enqueue('[{{}}{children}]')")
}

fn finish(first: i32, last: i32, decision: &str) -> String {
    format!("flows.finish(array(select generate_series({first}, {last})), '{decision}')")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn step_costs_little_wal() {
    let db = Db::new("steps").await;
    let mut session = session(&db).await;
    // The first round extends the tables.
    let (mut enqueued, mut unblocked, mut finished) = (Cost::default(), Cost::default(), Cost::default());
    for _ in 0..2 {
        enqueued = cost(&mut session, &fan_out()).await;
        unblocked = cost(&mut session, &finish(1, 1, "delete")).await;
        finished = cost(&mut session, &finish(2, BATCH + 1, "delete")).await;
        assert_eq!(
            session.number("select count(*) from pgjobq.workflows where outcome = 'completed'").await,
            1
        );
        session.run("delete from pgjobq.steps; delete from pgjobq.workflows").await;
        session.run("vacuum pgjobq.steps, pgjobq.jobs").await;
    }
    at_most("WAL to enqueue a step, bytes", enqueued.wal, 700.0);
    at_most("WAL to make a step ready, with its argument, bytes", unblocked.wal, 600.0);
    at_most("WAL to complete a step, bytes", finished.wal, 250.0);
    eprintln!("buffers: {:.1}, {:.1}, {:.1}", enqueued.buffers, unblocked.buffers, finished.buffers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_without_a_workflow_touches_none_of_their_tables() {
    let db = Db::new("no_steps").await;
    let mut session = session(&db).await;
    for decision in ["delete", "complete", "bury", "retry"] {
        session
            .run(
                "select pgjobq.enqueue_many(array['step'], array['default'], array[1::smallint], array[3::smallint],
                        array[3::smallint], array(select flows.id(n) from generate_series(1, 20) n), array_fill(1, array[20]),
                        array_fill('{}'::text, array[20]), null, null, null, null, null, null, false, null)",
            )
            .await;
        session.run("select pg_stat_force_next_flush()").await;
        session.run("begin").await;
        session.run(&format!("select {}", finish(1, 20, decision))).await;
        let touched = |tables: &str| {
            format!(
                "select coalesce(sum(seq_scan + idx_scan + n_tup_ins + n_tup_upd + n_tup_del), 0)
                   from pg_stat_xact_user_tables where relname in ({tables})"
            )
        };
        assert_eq!(session.number(&touched("'workflows', 'steps', 'unsettled'")).await, 0, "{decision}");
        assert!(session.number(&touched("'jobs'")).await > 0, "{decision}");
        session.run("commit").await;
        session.run("delete from pgjobq.jobs").await;
    }
}
