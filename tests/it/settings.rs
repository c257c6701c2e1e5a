//! Settings of queues that operators change while workers run.

use std::sync::Arc;
use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{EndedState, QueueError, RunningWorker};

use crate::harness::TestDb;
use crate::probe::Probe;

#[job(kind = "settings_hold", queue = "default")]
async fn hold(ctx: JobContext, probe: u64) {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
}

const DAY: Duration = Duration::from_secs(86_400);

/// A worker whose code says this limit.
async fn worker(db: &TestDb, client: &Client, limit: usize) -> RunningWorker {
    let worker = Worker::builder(client).queue("default", limit).heartbeat(Duration::from_millis(200));
    let worker = worker.lease(Duration::from_secs(30)).poll_interval(Duration::from_millis(200));
    let started = worker.build().await.unwrap().start();
    db.until("exists (select from pgjobq.workers)").await;
    started
}

async fn hold_many(db: &TestDb) -> Arc<Probe> {
    let probe = Probe::new();
    db.client.enqueue_all((0..60).map(|_| hold::job(probe.number))).await.unwrap();
    probe
}

async fn follows_changes(db: TestDb, notifications: bool) {
    let client = Client::builder(db.pool.clone()).notifications(notifications).build().unwrap();
    let worker = worker(&db, &client, 2).await;
    let probe = hold_many(&db).await;
    probe.until(|probe| probe.running() == 2).await;
    db.client.queue("default").change().limit(5).await.unwrap();
    probe.until(|probe| probe.running() == 5).await;
    db.until("(select slots = '{5}' from pgjobq.workers)").await;

    // Those that run go on. No other begins until fewer run than the new limit.
    db.client.queue("default").change().limit(1).await.unwrap();
    db.until("(select slots = '{1}' from pgjobq.workers)").await;
    probe.until(|_| worker.health().slots == 1).await;
    assert_eq!(probe.running(), 5);
    probe.gate.add_permits(4);
    probe.until(|probe| probe.running() == 1).await;
    let begun = probe.runs().len();
    probe.gate.add_permits(10);
    probe.until(|probe| probe.runs().len() > begun + 5).await;
    assert!(probe.running() <= 1, "one at a time");

    db.client.queue("default").change().reset_limit().await.unwrap();
    db.until("(select slots = '{2}' from pgjobq.workers)").await;
    probe.gate.add_permits(60);
    db.until("not exists (select from pgjobq.jobs)").await;
    assert_eq!(probe.most(), 5);
    worker.shutdown().await.unwrap();
}

on_one_shard!(workers_follow_a_limit_when_they_are_notified);
async fn workers_follow_a_limit_when_they_are_notified(db: TestDb) {
    follows_changes(db, true).await;
}

on_one_shard!(workers_follow_a_limit_at_the_next_heartbeat);
async fn workers_follow_a_limit_at_the_next_heartbeat(db: TestDb) {
    follows_changes(db, false).await;
}

on_one_shard!(operators_setting_survives_deploys_in_both_orders);
async fn operators_setting_survives_deploys_in_both_orders(db: TestDb) {
    const OLD: (usize, Duration) = (5, Duration::from_secs(86_400 * 10));
    const NEW: (usize, Duration) = (7, Duration::from_secs(86_400 * 20));
    db.client.queue("default").change().limit(3).retain(EndedState::Dead, 90 * DAY).by("ada").await.unwrap();
    for order in [[OLD, NEW], [NEW, OLD]] {
        let mut workers = Vec::new();
        for (limit, keep) in order {
            // What a program does at its start.
            db.client.queue("default").retain(EndedState::Dead, keep).save().await.unwrap();
            workers.push(worker(&db, &db.client, limit).await);
        }
        let probe = hold_many(&db).await;
        probe.until(|probe| probe.running() == 6).await;
        let settings = db.client.queue("default").settings().await.unwrap().unwrap();
        let (last, keep) = order[1];
        assert_eq!((settings.limit.by_code, settings.limit.current()), (Some(last), Some(&3)));
        assert_eq!(
            (settings.keep_dead.by_code, settings.keep_dead.current()),
            (Some(keep), Some(&(90 * DAY)))
        );
        probe.gate.add_permits(60);
        db.until("not exists (select from pgjobq.jobs)").await;
        assert_eq!(probe.most(), 6, "three in each worker");

        // After the reset each follows its own code.
        db.client.queue("default").change().reset_limit().await.unwrap();
        let slots = "(select array_agg(s order by s) from pgjobq.workers, unnest(slots) s)";
        db.until(&format!("{slots} = '{{5,7}}'")).await;
        db.client.queue("default").change().limit(3).by("ada").await.unwrap();
        db.until(&format!("{slots} = '{{3,3}}'")).await;
        for worker in workers {
            worker.shutdown().await.unwrap();
        }
    }
}

on_one_shard!(settings_show_the_code_the_operator_and_the_author);
async fn settings_show_the_code_the_operator_and_the_author(db: TestDb) {
    let settings = async || db.client.queue("default").settings().await.unwrap().unwrap();
    let before = settings().await;
    assert_eq!((before.limit.current(), before.keep_dead.current()), (None, Some(&(30 * DAY))));
    let change = db.client.queue("default").change();
    change.limit(20).retain(EndedState::Cancelled, 2 * DAY).by("ada").await.unwrap();
    let after = settings().await;
    let set = after.limit.by_operator.as_ref().unwrap();
    assert_eq!((set.value, &*set.by, &set.role), (20, "ada", &db.text("select current_user").await));
    assert_eq!(after.keep_cancelled.current(), Some(&(2 * DAY)));
    assert_eq!(after.keep_cancelled.by_code, Some(7 * DAY));
    let shown =
        "select string_agg(concat_ws(' ', setting, by_code, by_operator, set_by), '; ' order by setting)
                   from pgjobq.queue_settings where queue = 'default' and by_operator is not null";
    assert_eq!(db.text(shown).await, "keep_cancelled 7 days 2 days ada; limit 20 ada");
    // Another operator's change of one setting leaves the others as they are.
    db.run("select pgjobq.change_setting('default', 'limit', null, by => 'bob')").await;
    let last = settings().await;
    assert_eq!((last.limit.by_operator, last.keep_cancelled), (None, after.keep_cancelled));
    assert_eq!(db.client.queue("no_such").settings().await.unwrap(), None);
}

on_one_shard!(retention_of_an_operator_decides_when_jobs_are_dropped);
async fn retention_of_an_operator_decides_when_jobs_are_dropped(db: TestDb) {
    let kept = "(select drop_on - (now() at time zone 'UTC')::date from pgjobq.finished where outcome = 'cancelled')";
    let cancel = async || {
        let job = hold::enqueue(&db.client, 0).await.unwrap();
        job.cancel(&db.client).await.unwrap();
        let days = db.number(kept).await;
        db.run("delete from pgjobq.finished").await;
        days
    };
    let by_default = cancel().await;
    db.client.queue("default").change().retain(EndedState::Cancelled, 2 * DAY).await.unwrap();
    let shorter = cancel().await;
    db.client.queue("default").change().reset_retention(EndedState::Cancelled).await.unwrap();
    assert!(
        (2..=3).contains(&shorter) && cancel().await == by_default && by_default >= 7,
        "{shorter} {by_default}"
    );
    // Partitions are there for the longest one.
    db.client.queue("default").change().retain(EndedState::Dead, 400 * DAY).await.unwrap();
    let last = "select max(day) - (now() at time zone 'UTC')::date from pgjobq.finished_days";
    assert!(db.number(last).await >= 400);
}

on_one_shard!(psql_sets_and_resets_the_limits_of_a_queue);
async fn psql_sets_and_resets_the_limits_of_a_queue(db: TestDb) {
    db.run("select pgjobq.change_setting('default', 'concurrency', '3', by => 'ada')").await;
    db.run("select pgjobq.change_setting('default', 'rate', '10 per second, 100 per minute', by => 'bob')")
        .await;
    let limits = db.client.queue("default").limits().await.unwrap();
    assert_eq!(limits.concurrency.current(), Some(&3));
    assert_eq!(limits.rates.by_operator.as_ref().unwrap().by, "bob");
    let shown = "(select string_agg(concat_ws(' ', setting, by_operator, set_by), '; ' order by setting)
                    from pgjobq.queue_settings where queue = 'default' and by_operator is not null)";
    assert_eq!(db.text(shown).await, "concurrency 3 ada; rate 10 per second, 100 per minute bob");
    for setting in ["concurrency", "rate"] {
        db.run(&format!("select pgjobq.change_setting('default', '{setting}', null, by => 'ada')")).await;
    }
    assert_eq!(db.number("select count(*) from pgjobq.limits where scope = 'queue'").await, 0);
}

on_one_shard!(impossible_settings_are_refused);
async fn impossible_settings_are_refused(db: TestDb) {
    let queue = || db.client.queue("default").change();
    for limit in [0, 1_000_001] {
        let error = queue().limit(limit).await.unwrap_err();
        assert!(
            matches!(error, QueueError::Limit { .. }) && error.to_string().contains(".pause()"),
            "{error}"
        );
    }
    let short = queue().retain(EndedState::Dead, Duration::from_secs(1)).await;
    assert!(matches!(short, Err(QueueError::Retention { .. })));
    let nothing = queue().by("ada").await.unwrap_err();
    assert!(matches!(&nothing, QueueError::NoChange(queue) if queue == "default"), "{nothing}");
    let unknown = db.client.queue("no_such").change().limit(5).await;
    assert!(matches!(unknown, Err(QueueError::Unknown { queue, .. }) if queue == "no_such"));
    for (call, wanted) in [
        ("'default', 'limit', '0'", "a limit is 1 to 1000000, not 0"),
        ("'default', 'keep_dead', '1 s'", "from one minute to 3660 days"),
        ("'default', 'colour', '1'", "a queue has no setting 'colour'"),
        ("'default', 'concurrency', '0'", "a concurrency is 1 to 10000, not 0"),
        ("'default', 'rate', '5 per fortnight'", "'5 per fortnight' is no rate"),
        ("'no_such', 'concurrency', '1'", "there is no queue 'no_such'"),
        ("'no_such', 'limit', '1'", "there is no queue 'no_such'"),
    ] {
        let sql = format!("select pgjobq.change_setting({call})");
        let error = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&db.pool).await.unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
    }
    assert_eq!(db.number("select count(*) from pgjobq.queues where overrides is not null").await, 0);
}
