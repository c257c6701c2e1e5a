//! Management of queues: saving, statistics, purging and deleting.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{EndedState, EnqueueError, JobState, QueueError};

use crate::harness::TestDb;
use crate::probe::{Probe, end_of};

const HOUR: Duration = Duration::from_secs(3600);

#[job(queue = "shelf", retries = 0)]
async fn shelve(ctx: JobContext, probe: u64, fails: bool) -> Result<()> {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
    if fails { Err("no".into()) } else { Ok(()) }
}

on_one_and_eight_shards!(queue_stats_count_jobs_by_state);
async fn queue_stats_count_jobs_by_state(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().queue("shelf", 3).build().await.unwrap().start();
    assert_eq!(db.client.queue("no_such").stats().await.unwrap(), None);
    db.client.enqueue_all((0..10).map(|n| shelve::job(probe.number, n == 0))).await.unwrap();
    db.client.enqueue_all((0..4).map(|_| shelve::job(probe.number, false).delay(HOUR))).await.unwrap();
    probe.until(|probe| probe.running() == 3).await;
    let stats = db.client.queue("shelf").stats().await.unwrap().unwrap();
    assert_eq!((stats.ready, stats.running, stats.scheduled, stats.blocked, stats.exact), (7, 3, 4, 0, true));
    assert!(stats.oldest.is_some_and(|age| age < Duration::from_secs(60)), "{stats:?}");
    probe.gate.add_permits(10);
    db.until(
        "(select sum(completed) from pgjobq.rates) = 9 and (select sum(failed) from pgjobq.rates) = 1
         and not exists (select from pgjobq.leases)",
    )
    .await;
    let stats = db.client.queue("shelf").stats().await.unwrap().unwrap();
    assert_eq!((stats.ready, stats.running, stats.scheduled, stats.oldest), (0, 0, 4, None));
    assert!(
        (stats.completed_per_minute - 9.0 / 5.0).abs() < 0.01 && (stats.failed_per_minute - 0.2).abs() < 0.01,
        "{stats:?}"
    );
    assert_eq!(db.client.queue("default").stats().await.unwrap().unwrap().completed_per_minute, 0.0);
    worker.shutdown().await.unwrap();
}

on_one_shard!(jobs_that_wait_for_a_limit_are_counted);
async fn jobs_that_wait_for_a_limit_are_counted(db: TestDb) {
    db.client.queue("shelf").concurrency(1).save().await.unwrap();
    db.client.enqueue_all((0..4).map(|_| shelve::job(0, false))).await.unwrap();
    db.until("exists (select from pgjobq.jobs where ticket is not null)").await;
    let stats = db.client.queue("shelf").stats().await.unwrap().unwrap();
    assert_eq!((stats.ready, stats.limited, stats.exact), (1, 3, true));
    let overview =
        "(select concat_ws(' ', ready, limited, blocked) from pgjobq.queue_overview where queue = 'shelf')";
    assert_eq!(db.text(overview).await, "1 3 0");
}

on_one_and_eight_shards!(stats_and_status_count_the_workers_that_serve);
async fn stats_and_status_count_the_workers_that_serve(db: TestDb) {
    db.client.queue("attic").save().await.unwrap();
    let job = shelve::job(0, false).delay(HOUR).enqueue(&db.client).await.unwrap();
    let stray = shelve::job(0, false).queue("attic").enqueue(&db.client).await.unwrap();
    let workers = async || {
        let stats = db.client.queue("shelf").stats().await.unwrap().unwrap();
        let [job, stray] = [job.status(&db.client).await, stray.status(&db.client).await];
        (stats.workers, job.unwrap().unwrap().workers, stray.unwrap().unwrap().workers)
    };
    assert_eq!(workers().await, (0, 0, 0));
    let first = db.worker().queue("shelf", 3).build().await.unwrap().start();
    let second = db.worker().queue("shelf", 3).build().await.unwrap().start();
    db.until("(select count(distinct id) from pgjobq.workers) = 2").await;
    assert_eq!(workers().await, (2, 2, 0));
    let waits = "select string_agg(queue, ', ') from pgjobq.queue_overview where ready > 0 and workers = 0";
    assert_eq!(db.text(waits).await, "attic");
    first.shutdown().await.unwrap();
    second.shutdown().await.unwrap();
    // A worker that died has not been given up yet.
    db.run(
        "select pgjobq.register_worker(0::smallint, 7, 'dead', '1 s', '{shelf}', '{shelve}');
         update pgjobq.workers set seen_at = now() - interval '1 minute'",
    )
    .await;
    assert_eq!(workers().await, (0, 0, 0));
}

#[tokio::test]
async fn large_counts_are_estimated_and_marked_so() {
    let db = TestDb::new(1).await;
    db.run(
        "insert into pgjobq.jobs (id, created_at, ticket, run_at, queue_id, shard, priority, retries, max_crashes, kind, args)
         select gen_random_uuid(), now(), case when n > 30000 then nextval('pgjobq.ticket') end,
                case when n <= 30000 then now() + interval '1 hour' end, 1, 0, 1, 20, 3, 'shelve', '{}'
           from generate_series(1, 60000) n",
    )
    .await;
    db.run("analyze pgjobq.jobs").await;
    let stats = db.client.queue("default").stats().await.unwrap().unwrap();
    let near = |count: u64| (25_000..35_000).contains(&count);
    assert!(!stats.exact && near(stats.ready) && near(stats.scheduled) && stats.running == 0, "{stats:?}");
}

on_one_and_eight_shards!(purge_cancels_waiting_jobs_only);
async fn purge_cancels_waiting_jobs_only(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().queue("shelf", 1).build().await.unwrap().start();
    let running = shelve::enqueue(&db.client, probe.number, false).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    let waiting = (0..1200).map(|n| {
        let priority = if n % 2 == 0 { Priority::Low } else { Priority::Critical };
        shelve::job(probe.number, false).priority(priority).delay(if n % 3 == 0 {
            HOUR
        } else {
            Duration::ZERO
        })
    });
    db.client.enqueue_all(waiting).await.unwrap();
    let elsewhere =
        shelve::job(probe.number, false).queue("default").delay(HOUR).enqueue(&db.client).await.unwrap();
    assert_eq!(db.client.queue("shelf").purge().await.unwrap(), 1200);
    assert_eq!(db.client.queue("no_such").purge().await.unwrap(), 0);
    assert_eq!(elsewhere.status(&db.client).await.unwrap().unwrap().state, JobState::Scheduled);
    let why = "select count(*) from pgjobq.finished where outcome = 'cancelled' and cancelled->>'reason' = 'the queue was purged'";
    assert_eq!(db.number(why).await, 1200);
    probe.gate.add_permits(1);
    assert_eq!(end_of(&db.client, &running).await, Outcome::Completed(()));
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(deleted_queue_rejects_jobs_and_loses_none);
async fn deleted_queue_rejects_jobs_and_loses_none(db: TestDb) {
    // A queue that no job of this program names, because each build of a worker saves the named ones.
    db.client.queue("attic").save().await.unwrap();
    let job = || shelve::job(0, false).queue("attic");
    let waiting = job().enqueue(&db.client).await.unwrap();
    let mut open = db.pool.begin().await.unwrap();
    let late = job().enqueue(&mut *open).await.unwrap();
    assert!(db.client.queue("attic").delete().await.unwrap());
    assert!(!db.client.queue("attic").delete().await.unwrap());
    assert_eq!(end_of(&db.client, &waiting).await, Outcome::Cancelled);
    let refused = job().enqueue(&db.client).await.unwrap_err();
    assert!(matches!(refused, EnqueueError::UnknownQueue { .. }), "{refused}");
    open.commit().await.unwrap();
    // A worker that does not know that queue cleans up when it starts.
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &late).await, Outcome::Cancelled);
    db.client.queue("attic").save().await.unwrap();
    job().enqueue(&db.client).await.unwrap();
    worker.shutdown().await.unwrap();
}

on_one_shard!(ended_jobs_are_kept_for_the_retention_of_their_queue);
async fn ended_jobs_are_kept_for_the_retention_of_their_queue(db: TestDb) {
    let day = Duration::from_secs(86_400);
    let queue =
        db.client.queue("shelf").retain(EndedState::Completed, 3 * day).retain(EndedState::Dead, 90 * day);
    queue.retain(EndedState::Cancelled, 20 * day).save().await.unwrap();
    db.client.queue("shelf").save().await.unwrap(); // A save without settings keeps the stored ones.
    let probe = Probe::new();
    probe.gate.add_permits(2);
    let worker = db.worker().queue("shelf", 2).build().await.unwrap().start();
    for fails in [false, true] {
        let job = shelve::enqueue(&db.client, probe.number, fails).await.unwrap();
        let _ = end_of(&db.client, &job).await;
    }
    let late = shelve::job(probe.number, false).delay(HOUR).enqueue(&db.client).await.unwrap();
    late.cancel(&db.client).await.unwrap();
    // A row is dropped with the first partition at or after the end of its retention: of that day, or of a Monday.
    for (outcome, days, most) in [("completed", 3, 0), ("dead", 90, 7), ("cancelled", 20, 7)] {
        let late = format!(
            "select drop_on - (finished_at at time zone 'UTC' + interval '{days} days')::date from pgjobq.finished where outcome = '{outcome}'"
        );
        let late = db.number(&late).await; // The day may be computed a moment before midnight, and `finished_at` after it.
        assert!((-1..=most).contains(&late), "{outcome}: {late} days later");
    }
    worker.shutdown().await.unwrap();
}

on_one_shard!(expired_partition_is_dropped_without_blocking_others);
async fn expired_partition_is_dropped_without_blocking_others(db: TestDb) {
    let (was, is) = (db.text("select min(day) from pgjobq.finished_days").await, "date '2001-01-01'");
    // The first day's partition becomes one of a day long ago, with a job in it.
    let table = format!("finished_{}", was.replace('-', ""));
    db.run(&format!(
        "alter table pgjobq.finished detach partition pgjobq.{table};
         alter table pgjobq.{table} rename to finished_20010101;
         alter table pgjobq.finished attach partition pgjobq.finished_20010101 for values from ('2001-01-01') to ('2001-01-02');
         update pgjobq.finished_days set day = {is} where day = '{was}';
         insert into pgjobq.finished (shard, id, outcome, queue_id, priority, kind, args, attempt, failures, crashes, retries,
                                      max_crashes, created_at, drop_on)
         values (0, gen_random_uuid(), 'dead', 1, 1, 'old', '{{}}', 1, 1, 0, 0, 0, now(), {is})"
    )).await;
    // A transaction that read ended jobs stays open. The worker's drop fails at once, and is tried again later.
    let mut open = db.pool.begin().await.unwrap();
    pgjobq::sqlx::query("select count(*) from pgjobq.finished").execute(&mut *open).await.unwrap();
    let refused = pgjobq::sqlx::query("select pgjobq.drop_partition()").execute(&db.pool).await.unwrap_err();
    assert!(refused.to_string().contains("the day 2001-01-01 is over"), "{refused}");
    let worker = db.worker().queue("shelf", 1).build().await.unwrap().start();
    let probe = Probe::new();
    probe.gate.add_permits(1);
    shelve::call(&db.client, probe.number, false).await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.finished where kind = 'old'").await, 1);
    open.commit().await.unwrap();
    db.until("not exists (select from pgjobq.finished where kind = 'old')").await;
    assert_eq!(db.number("select count(*) from pgjobq.finished").await, 1);
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rates_are_recorded_after_a_failure() {
    let db = TestDb::new(1).await;
    db.run(
        "create sequence refusals;
         create function refuse() returns trigger language plpgsql as $$ begin
             perform nextval('public.refusals');
             raise exception 'no rates today';
         end $$;
         create trigger refuse before insert on pgjobq.rates for each row execute function refuse()",
    )
    .await;
    let probe = Probe::new();
    probe.gate.add_permits(1);
    let worker = db.worker().queue("shelf", 3).build().await.unwrap().start();
    shelve::call(&db.client, probe.number, false).await.unwrap();
    db.until("(select is_called from refusals)").await;
    db.run("drop trigger refuse on pgjobq.rates").await;
    db.until("(select sum(completed) from pgjobq.rates) = 1").await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(queue_that_cannot_be_saved_says_why);
async fn queue_that_cannot_be_saved_says_why(db: TestDb) {
    let day = Duration::from_secs(86_400);
    let short = db
        .client
        .queue("ledge")
        .retain(EndedState::Completed, Duration::from_secs(5))
        .save()
        .await
        .unwrap_err();
    assert_eq!(
        short.to_string(),
        "queue `ledge`: completed jobs cannot be kept for 5s; write a time from one minute to ten years (3660 days)"
    );
    let long = db.client.queue("ledge").retain(EndedState::Expired, 3661 * day).save().await.unwrap_err();
    assert!(matches!(long, QueueError::Retention { state: JobState::Expired, .. }), "{long:?}");
    let name = db.client.queue("").save().await.unwrap_err();
    assert!(matches!(name, QueueError::Name(_)), "{name:?}");
    assert_eq!(db.number("select count(*) from pgjobq.queues where name = 'ledge'").await, 0);
}
