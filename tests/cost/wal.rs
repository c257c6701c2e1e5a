//! The cost of a job in WAL and in writes to its row, in batches of 500.

use crate::calls::End;
use crate::limits::at_most;
use crate::server::Db;
use crate::session::{Cost, Session};

const JOBS: usize = 20_000;
const BATCH: usize = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_costs_little_wal_one_insert_and_one_delete() {
    let db = Db::new("wal").await;
    let mut session = Session::new(&db).await;
    let (mut enqueued, mut claimed, mut finished) = (Cost::default(), Cost::default(), Cost::default());
    for _ in 0..JOBS / BATCH {
        enqueued += session.enqueue(BATCH, None).await.0;
    }
    let mut scan_hint = 0;
    for _ in 0..JOBS / BATCH {
        let (cost, lease) = session.claim(BATCH, scan_hint, None).await;
        assert_eq!(lease.jobs.len(), BATCH);
        claimed += cost;
        finished += session.finish(&lease, End::Complete).await;
        scan_hint = lease.max_ticket - 500 - 2 * BATCH as i64;
    }
    let per_job = |figure: f64| figure / JOBS as f64;
    at_most("WAL to enqueue a job, bytes", per_job(enqueued.wal), 420.0);
    at_most("WAL to claim and complete a job, bytes", per_job(claimed.wal + finished.wal), 60.0);
    eprintln!("of it to claim: {:.1}", per_job(claimed.wal));

    sqlx::query("select pg_stat_force_next_flush()").execute(&mut session.measured).await.unwrap();
    sqlx::query("select 1").execute(&mut session.measured).await.unwrap();
    let written = async |session: &mut Session, what: &str| {
        session
            .number(&format!(
                "select {what} from pg_stat_user_tables where schemaname = 'pgjobq' and relname = 'jobs'"
            ))
            .await
    };
    assert_eq!(written(&mut session, "n_tup_ins").await, JOBS as i64, "one insert for each job");
    assert_eq!(written(&mut session, "n_tup_del").await, JOBS as i64, "one delete for each job");
    assert_eq!(written(&mut session, "n_tup_upd").await, 0, "no update on the happy path");
    assert_eq!(session.number("select count(*) from pgjobq.jobs").await, 0);
    assert_eq!(session.number("select count(*) from pgjobq.leases").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_job_costs_little_more_wal() {
    let db = Db::new("wal_kept").await;
    let mut session = Session::new(&db).await;
    let (mut ended, jobs, mut scan_hint) = (Cost::default(), 10 * BATCH, 0);
    for _ in 0..jobs / BATCH {
        session.enqueue(BATCH, None).await;
        let (cost, lease) = session.claim(BATCH, scan_hint, None).await;
        ended += cost;
        ended += session.finish(&lease, End::CompleteKept).await;
        scan_hint = lease.max_ticket - 500 - 2 * BATCH as i64;
    }
    assert_eq!(session.number("select count(*) from pgjobq.finished").await, jobs as i64);
    at_most("WAL to claim, complete and keep a job, bytes", ended.wal / jobs as f64, 440.0);
}
