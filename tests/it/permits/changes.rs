//! Limits that are set, changed and removed while jobs wait.

use super::{free, hold, in_state, limit};
use crate::harness::TestDb;
use crate::probe::Probe;

on_one_shard!(raised_limit_lets_more_jobs_in_at_once);
async fn raised_limit_lets_more_jobs_in_at_once(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    db.client.enqueue_all((0..6).map(|_| hold::job(probe.number, "raised".to_owned()))).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    limit(&db, "permits_hold", 4).await;
    probe.until(|probe| probe.running() == 4).await;
    // A lowered limit drains by itself.
    limit(&db, "permits_hold", 2).await;
    probe.gate.add_permits(1);
    db.until("(select count(*) from pgjobq.jobs) = 5").await;
    probe.gate.add_permits(1);
    db.until("(select count(*) from pgjobq.jobs) = 4").await;
    assert_eq!(in_state(&db, "limited").await, 2);
    assert_eq!(probe.runs().len(), 4);
    probe.gate.add_permits(4);
    db.until("not exists (select from pgjobq.jobs)").await;
    assert_eq!(probe.most(), 4);
    worker.shutdown().await.unwrap();
}

on_one_shard!(removed_limit_lets_all_waiting_jobs_in);
async fn removed_limit_lets_all_waiting_jobs_in(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    db.client.enqueue_all((0..6).map(|_| hold::job(probe.number, "removed".to_owned()))).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    db.run("delete from pgjobq.limits; select pgjobq.note_limits(), pgjobq.announce_limited(null)").await;
    probe.until(|probe| probe.running() == 6).await;
    // And a new job is under no limit.
    db.client.enqueue(hold::job(probe.number, "removed".to_owned())).await.unwrap();
    probe.until(|probe| probe.running() == 7).await;
    probe.gate.add_permits(7);
    db.until("not exists (select from pgjobq.jobs)").await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(jobs_without_limits_write_no_column_of_them);
async fn jobs_without_limits_write_no_column_of_them(db: TestDb) {
    db.client.enqueue_all((0..60).map(|_| free::job().key("none"))).await.unwrap();
    db.client.enqueue(free::job().key("none")).await.unwrap();
    let columns = "num_nonnulls(arrival, permit, queue_permit, weight, limits, unique_slot, unique_key)";
    assert_eq!(db.number(&format!("select count(*) from pgjobq.jobs where {columns} = 0")).await, 61);
    assert_eq!(in_state(&db, "ready").await, 61);
}
