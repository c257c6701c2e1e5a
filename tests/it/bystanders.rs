//! A job that runs costs the database nothing until it ends.

use std::time::Duration;

use crate::gate::{Gate, result};
use crate::harness::TestDb;

on_one_shard!(invariant_10_running_jobs_hold_no_connection_or_lock);
async fn invariant_10_running_jobs_hold_no_connection_or_lock(db: TestDb) {
    let gate = Gate::new();
    let mut jobs = Vec::new();
    for _ in 0..30 {
        jobs.push(gate.job().enqueue(&db.client).await.unwrap());
    }
    // More jobs than connections. Once they run, the worker has nothing else to do for a long time.
    let long = Duration::from_secs(600);
    let worker = pgjobq::Worker::builder(&db.client)
        .queue("default", 30)
        .connections(2)
        .heartbeat(long)
        .lease(long * 3)
        .poll_interval(long)
        .build()
        .await
        .unwrap()
        .start();
    gate.until(|count| count.inside == 30).await;

    let others = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
        and backend_type = 'client backend'";
    let at_rest = format!(
        "not exists (select {others} and (state <> 'idle' or xact_start is not null or backend_xmin is not null))
         and not exists (select from pg_locks where pid in (select pid {others}))",
    );
    db.until(&at_rest).await;
    assert!(
        db.number(&format!("select count(*) {others} and application_name = 'pgjobq worker'")).await <= 3
    );
    let all_free = async {
        while db.pool.num_idle() < db.pool.size() as usize {
            tokio::time::sleep(Duration::from_millis(10)).await; // The pool tests each connection when it is returned.
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all_free)
        .await
        .expect("the application's connections are all free");
    assert_eq!(gate.count().inside, 30, "all jobs run meanwhile");

    gate.open();
    for job in jobs {
        result(&db, &job).await;
    }
    worker.shutdown().await.unwrap();
}
