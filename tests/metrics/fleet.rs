//! The state of the fleet is measured once for all.

use std::time::Duration;

use pgjobq::measure::{FleetState, QueueState};
use pgjobq::prelude::*;

use crate::harness::TestDb;
use crate::recorded::Recorded;

const HOUR: Duration = Duration::from_secs(3600);

#[job(queue = "metrics_fleet")]
async fn metrics_idle() {}

async fn measured(db: &TestDb) -> FleetState {
    db.client.fleet_state(Duration::ZERO).await.unwrap().unwrap()
}

fn queue<'f>(fleet: &'f FleetState, name: &str) -> &'f QueueState {
    fleet.queues.iter().find(|queue| queue.queue == name).unwrap()
}

on_one_and_eight_shards!(fleet_state_counts_jobs_workers_and_unserved_kinds);
async fn fleet_state_counts_jobs_workers_and_unserved_kinds(db: TestDb) {
    db.client.queue("metrics_fleet").save().await.unwrap();
    db.client.enqueue_all((0..7).map(|_| metrics_idle::job())).await.unwrap();
    metrics_idle::job().delay(HOUR).enqueue(&db.client).await.unwrap();
    let fleet = measured(&db).await;
    let state = queue(&fleet, "metrics_fleet");
    assert_eq!((state.ready, state.scheduled, state.running, state.exact), (7, 1, 0, true));
    assert_eq!((state.workers, state.slots, state.unserved["metrics_idle"]), (0, 0, 7));
    assert!(state.oldest.is_some_and(|oldest| oldest < HOUR) && fleet.is_new && fleet.complete);
    assert!(fleet.database.xmin_age.is_some());

    let worker = db.worker().queue("metrics_fleet", 3).build().await.unwrap().start();
    db.until("(select count(*) from pgjobq.jobs) = 1").await;
    let fleet = measured(&db).await;
    let state = queue(&fleet, "metrics_fleet");
    assert_eq!((state.ready, state.workers, state.slots, state.oldest), (0, 1, 3, None));
    assert!(state.unserved.is_empty() && fleet.workers == 1);
    worker.shutdown().await.unwrap();
}

on_one_shard!(queue_that_is_not_reached_in_time_keeps_its_numbers);
async fn queue_that_is_not_reached_in_time_keeps_its_numbers(db: TestDb) {
    db.client.queue("metrics_fleet").save().await.unwrap();
    db.client.enqueue_all((0..3).map(|_| metrics_idle::job())).await.unwrap();
    let before = measured(&db).await;
    assert!(before.complete);
    db.run("alter function pgjobq.measure_queue rename to measure_queue_slowly").await;
    db.run(
        "create function pgjobq.measure_queue(
             p_shards smallint[], p_queue int, p_times timestamptz[], p_tickets bigint[], p_due timestamptz, p_exact boolean)
         returns jsonb language plpgsql as $$
         begin
             perform pg_sleep(1);
             return pgjobq.measure_queue_slowly(p_shards, p_queue, p_times, p_tickets, p_due, p_exact);
         end $$",
    )
    .await;
    db.client.enqueue_all((0..4).map(|_| metrics_idle::job())).await.unwrap();
    let fleet = measured(&db).await;
    assert_eq!((fleet.queues.len(), fleet.complete), (before.queues.len(), false));
    assert_eq!(queue(&fleet, "metrics_fleet").ready, 3, "that of before: `default` was measured");
    let fleet = measured(&db).await;
    assert_eq!((queue(&fleet, "metrics_fleet").ready, fleet.complete), (7, false), "its turn came first");
}

on_one_shard!(part_of_the_dead_jobs_is_no_exact_number);
async fn part_of_the_dead_jobs_is_no_exact_number(db: TestDb) {
    db.client.queue("metrics_fleet").save().await.unwrap();
    let died = "insert into pgjobq.finished
        (created_at, finished_at, queue_id, attempt, failures, crashes, drop_on, shard, priority, retries, max_crashes, id,
         outcome, kind, args)
        select clock_timestamp(), clock_timestamp(), q.id, 1, 1, 0, d.day, 0, 1, 0, 3, gen_random_uuid(), 'dead', 'metrics_idle', 'null'
          from pgjobq.queues q, (select max(day) as day from pgjobq.finished_days) d, generate_series(1, COUNT) where q.name = 'NAME'";
    let died = |count: &str, name: &str| died.replace("COUNT", count).replace("NAME", name);
    db.run(&died("3", "default")).await;
    assert_eq!(
        (queue(&measured(&db).await, "default").dead, queue(&measured(&db).await, "default").exact),
        (3, true)
    );
    // They hide the three.
    db.run(&died("10000", "metrics_fleet")).await;
    let fleet = measured(&db).await;
    assert_eq!((queue(&fleet, "default").dead, queue(&fleet, "default").exact), (0, false));
    assert_eq!(queue(&fleet, "metrics_fleet").dead, 10_000);
    let exact = "(select bool_or(exact) from pgjobq.queue_overview)";
    db.until(&format!("not {exact}")).await;
}

on_one_shard!(age_of_a_scheduled_job_begins_in_line);
async fn age_of_a_scheduled_job_begins_in_line(db: TestDb) {
    db.client.queue("metrics_fleet").save().await.unwrap();
    metrics_idle::job().delay(HOUR).enqueue(&db.client).await.unwrap();
    db.run("update pgjobq.jobs set created_at = created_at - interval '1 day'").await;
    measured(&db).await;
    // Due, and nobody has promoted it.
    db.run("update pgjobq.jobs set run_at = clock_timestamp() - interval '10 minutes'").await;
    let oldest = queue(&measured(&db).await, "metrics_fleet").oldest.unwrap();
    assert!((Duration::from_secs(600)..HOUR).contains(&oldest), "{oldest:?}");
    // Promoted: it came into line after a mark.
    db.run("update pgjobq.jobs set run_at = null, ticket = nextval('pgjobq.ticket')").await;
    let oldest = queue(&measured(&db).await, "metrics_fleet").oldest.unwrap();
    assert!(oldest < HOUR, "{oldest:?}");
    // Without marks there is only the time at which it was created.
    db.run("truncate pgjobq.fleet").await;
    let oldest = queue(&measured(&db).await, "metrics_fleet").oldest.unwrap();
    assert!(oldest > HOUR, "{oldest:?}");
}

on_one_shard!(one_of_many_askers_measures_the_fleet);
async fn one_of_many_askers_measures_the_fleet(db: TestDb) {
    measured(&db).await;
    db.run("update pgjobq.fleet set measured_at = measured_at - interval '2 hours'").await;
    let ask = || {
        let client = db.client.clone();
        tokio::spawn(async move { client.fleet_state(HOUR).await.unwrap().unwrap() })
    };
    let asked: Vec<_> = (0..10).map(|_| ask()).collect();
    let mut new = 0;
    for fleet in asked {
        new += usize::from(fleet.await.unwrap().is_new);
    }
    assert_eq!(new, 1);
    assert!(!db.client.fleet_state(HOUR).await.unwrap().unwrap().is_new);
    // The clock was set back by a day.
    db.run("update pgjobq.fleet set measured_at = measured_at + interval '1 day'").await;
    assert!(db.client.fleet_state(HOUR).await.unwrap().unwrap().is_new);
}

on_one_shard!(workers_measure_once_in_an_interval);
async fn workers_measure_once_in_an_interval(db: TestDb) {
    const INTERVAL: Duration = Duration::from_secs(1);
    let (mut workers, mut meters) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let recorded = Recorded::default();
        let client = Client::builder(db.pool.clone()).measured_by(recorded.clone());
        let client = client.fleet_interval(INTERVAL).build().unwrap();
        workers.push(Worker::builder(&client).queue("default", 1).build().await.unwrap().start());
        meters.push(recorded);
    }
    let rounds = |count: u32| format!("(select cardinality(mark_times) from pgjobq.fleet) >= {count}");
    db.until(&rounds(4)).await;
    for recorded in &meters {
        recorded.until("pgjobq.fleet.workers{}", 2.0).await;
    }
    let between = "(select min(at - before) from (select at, lag(at) over (order by at) as before \
                   from pgjobq.fleet, unnest(mark_times) at) m)";
    assert!(db.number(&format!("extract(epoch from {between}) * 1000")).await >= 990, "two in one interval");

    // After a crash of the server the table is empty, and its connections are gone.
    db.run("truncate pgjobq.fleet").await;
    let others = "select pg_terminate_backend(pid) from pg_stat_activity \
                  where datname = current_database() and pid <> pg_backend_pid()";
    let _ = sqlx::query(others).fetch_all(&db.pool).await;
    db.until(&rounds(2)).await;
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
}
