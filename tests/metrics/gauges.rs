//! Gauges of a process: its own slots, and those of the fleet without a worker of its own.

use std::time::Duration;

use pgjobq::prelude::*;
use sqlx::postgres::PgPoolOptions;

use crate::harness::TestDb;
use crate::recorded::Recorded;

#[job(queue = "metrics_slots")]
async fn metrics_hold(ctx: JobContext) -> Result<()> {
    ctx.stop_requested().await;
    Ok(())
}

on_one_shard!(workers_of_a_process_add_up_their_slots);
async fn workers_of_a_process_add_up_their_slots(db: TestDb) {
    let recorded = Recorded::default();
    let client = Client::builder(db.pool.clone()).measured_by(recorded.clone());
    let client = client.fleet_interval(Duration::from_millis(100)).build().unwrap();
    client.queue("metrics_slots").save().await.unwrap();
    let worker = |slots| Worker::builder(&client).queue("metrics_slots", slots).grace(Duration::ZERO);
    let one = worker(3).build().await.unwrap().start();
    let two = worker(4).build().await.unwrap().start();
    client.enqueue_all((0..5).map(|_| metrics_hold::job())).await.unwrap();
    recorded.until("pgjobq.worker.slots{queue=metrics_slots}", 7.0).await;
    recorded.until("pgjobq.worker.slots.used{queue=metrics_slots}", 5.0).await;
    one.shutdown().await.unwrap();
    recorded.until("pgjobq.worker.slots{queue=metrics_slots}", 4.0).await;
    two.shutdown().await.unwrap();
    assert_eq!(
        recorded.of("pgjobq.worker.slots{queue=metrics_slots}"),
        0.0,
        "a worker that has ended has no slots"
    );
    client.close().await;
}

on_one_shard!(counters_of_faults_begin_before_the_first_fault);
async fn counters_of_faults_begin_before_the_first_fault(db: TestDb) {
    let recorded = Recorded::default();
    let client = Client::builder(db.pool.clone()).measured_by(recorded.clone()).build().unwrap();
    client.queue("metrics_slots").save().await.unwrap();
    let worker = Worker::builder(&client).queue("metrics_slots", 1).build().await.unwrap().start();
    // An alert on the increase of a counter misses what was counted before it was first read.
    let labels = "{queue=metrics_slots,kind=metrics_hold}";
    recorded.until_begun("pgjobq.jobs.ended{queue=metrics_slots,kind=metrics_hold,outcome=dead}").await;
    recorded.until_begun(&format!("pgjobq.job.retries{labels}")).await;
    recorded.until_begun(&format!("pgjobq.leases.lost{labels}")).await;
    recorded.until_begun("pgjobq.crashes.recovered{queue=metrics_slots}").await;
    recorded.until_begun("pgjobq.connections.lost{}").await;
    worker.shutdown().await.unwrap();
    client.close().await;
}

on_one_shard!(producer_without_a_worker_keeps_gauges);
async fn producer_without_a_worker_keeps_gauges(db: TestDb) {
    let role = format!("metrics_{}", uuid::Uuid::new_v4().simple());
    let schema = pgjobq::schema_sql("pgjobq").unwrap();
    db.run(&schema[schema.find("-- The grants").unwrap()..]).await;
    db.run(&format!("create role {role} login; grant pgjobq_producer to {role}")).await;
    let pool = PgPoolOptions::new().connect_with(db.options.clone().username(&role)).await.unwrap();
    db.client.queue("metrics_slots").save().await.unwrap();

    let recorded = Recorded::default();
    let client = Client::builder(pool.clone()).measured_by(recorded.clone());
    let client = client.fleet_interval(Duration::from_millis(100)).build().unwrap();
    let keeping = client.clone();
    let keeping = tokio::spawn(async move { keeping.keep_gauges().await });
    client.enqueue_all((0..2).map(|_| metrics_hold::job())).await.unwrap();
    recorded.until("pgjobq.queue.jobs{queue=metrics_slots,state=ready}", 2.0).await;
    recorded.until("pgjobq.queue.unserved{queue=metrics_slots,kind=metrics_hold}", 2.0).await;
    assert_eq!(recorded.of("pgjobq.fleet.workers{}"), 0.0);
    assert!(recorded.of("pgjobq.fleet.measured{}") > 0.0);
    client.close().await;
    keeping.await.unwrap();
    db.client.keep_gauges().await; // It has no metrics, and returns at once.
    pool.close().await;
    db.drop_role(&role).await;
}
