//! Schedules that are set, paused, resumed and removed.

use std::time::{Duration, SystemTime};

use pgjobq::prelude::*;
use pgjobq::{
    EnqueueError, InvalidSchedule, Missed, NewSchedule, Overlap, ScheduleError, ScheduleSource, ScheduleState,
};

use crate::harness::TestDb;
use crate::jobs::{JOBS, fired, neglect, note};

on_one_and_eight_shards!(set_schedule_fires_until_it_is_removed);
async fn set_schedule_fires_until_it_is_removed(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let schedules = db.client.schedules();
    schedules.upsert("each-second", note::schedule("* * * * * *", 7)).await.unwrap();
    db.until(&format!("(select count(*) >= 2 from {JOBS} where outcome = 'completed')")).await;

    let schedule = schedules.get("each-second").await.unwrap();
    assert_eq!((&*schedule.kind, &*schedule.text, &*schedule.timezone), ("note", "* * * * * *", "UTC"));
    assert_eq!((&*schedule.args, schedule.state), ("{\"n\": 7}", ScheduleState::Active));
    assert!(matches!(&schedule.source, ScheduleSource::Stored { .. }), "{schedule:?}");
    assert!(schedule.last_fired_at.unwrap() >= schedule.last_tick.unwrap());
    assert_eq!(schedule.last_missed, None);
    let runs = schedule.next_runs(3);
    assert_eq!(runs[2].duration_since(runs[0]).unwrap(), Duration::from_secs(2));
    assert_eq!(Some(runs[0]), schedule.next_at);
    assert!(
        schedule.to_string().starts_with("each-second: `note` at `* * * * * *` (UTC), next at 2"),
        "{schedule}"
    );

    schedules.remove("each-second").await.unwrap();
    let count = fired(&db, "each-second").await;
    assert!(matches!(schedules.get("each-second").await, Err(ScheduleError::Unknown(_))));
    assert_eq!(db.number("select count(*) from pgjobq.ticks where schedule = 'each-second'").await, 0);
    // Another schedule shows that the worker still looks.
    schedules.upsert("another", note::schedule("* * * * * *", 8)).await.unwrap();
    db.until(&format!("(select count(*) >= 2 from {JOBS} where schedule = 'another')")).await;
    assert_eq!(fired(&db, "each-second").await, count);
    worker.shutdown().await.unwrap();
}

on_one_shard!(setting_the_same_again_moves_no_tick);
async fn setting_the_same_again_moves_no_tick(db: TestDb) {
    let schedules = db.client.schedules();
    let hourly = || note::schedule("@hourly", 1).missed(Missed::RunOnce);
    schedules.upsert("hourly", hourly()).await.unwrap();
    neglect(&db, "hourly", "3 hours").await;
    let row = "select (version, passed_to, next_at, set_at)::text from pgjobq.schedules";
    let before = db.text(row).await;
    schedules.upsert("hourly", hourly()).await.unwrap();
    assert_eq!(db.text(row).await, before);

    schedules.upsert("hourly", hourly().overlap(Overlap::Skip)).await.unwrap();
    assert_ne!(db.text(row).await, before);
    assert_eq!(
        db.text("select passed_to > clock_timestamp() - interval '5 minutes' from pgjobq.schedules").await,
        "true",
        "a changed schedule misses nothing of what was before"
    );
}

on_one_shard!(setting_the_same_again_after_its_end_is_no_error);
async fn setting_the_same_again_after_its_end_is_no_error(db: TestDb) {
    let schedules = db.client.schedules();
    let past =
        || note::schedule("@daily", 1).ends(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000));
    schedules.upsert("ended", note::schedule("@daily", 1)).await.unwrap();
    db.run("update pgjobq.schedules set stored = stored || '{\"ends\": 1000000000000000}'").await;
    let row = "select (version, passed_to, next_at, set_at)::text from pgjobq.schedules";
    let before = db.text(row).await;
    schedules.upsert("ended", past()).await.unwrap();
    assert_eq!(db.text(row).await, before);
    let changed = schedules.upsert("ended", past().overlap(Overlap::Skip)).await.unwrap_err();
    assert!(matches!(changed, ScheduleError::Ended(_)), "{changed}");
}

on_one_shard!(schedule_set_over_a_stopped_one_fires_no_past_tick);
async fn schedule_set_over_a_stopped_one_fires_no_past_tick(db: TestDb) {
    let schedules = db.client.schedules();
    let stop = |since: &str| {
        format!(
            "update pgjobq.schedules set code = coalesce(stored, code), stored = null, next_at = null, is_seen = false,
                    passed_to = clock_timestamp() - interval '1 day', stopped_at = clock_timestamp() - interval '{since}'"
        )
    };
    schedules.upsert("stopped", note::schedule("@daily", 1)).await.unwrap();
    for (since, late) in [("1 hour", 0), ("10 seconds", 1)] {
        db.run(&stop(since)).await;
        let now = db.number("select pgjobq.micros(clock_timestamp())").await;
        schedules.upsert("stopped", note::schedule("* * * * * *", 1)).await.unwrap();
        let earlier = format!("select count(*) from pgjobq.schedules where pgjobq.micros(passed_to) < {now}");
        assert_eq!(db.number(&earlier).await, late, "{since}");
    }
}

on_one_shard!(paused_schedule_fires_nothing_and_misses_nothing);
async fn paused_schedule_fires_nothing_and_misses_nothing(db: TestDb) {
    let schedules = db.client.schedules();
    let all = Missed::RunAll(1000);
    schedules.upsert("paused", note::schedule("* * * * * *", 1).missed(all)).await.unwrap();
    schedules.pause("paused").await.unwrap();
    schedules.pause("paused").await.unwrap();
    neglect(&db, "paused", "3 hours").await;
    schedules.upsert("running", note::schedule("* * * * * *", 2)).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until(&format!("(select count(*) >= 2 from {JOBS} where schedule = 'running')")).await;
    assert_eq!(fired(&db, "paused").await, 0);
    let schedule = schedules.get("paused").await.unwrap();
    assert!(
        matches!(schedule.state, ScheduleState::Paused(_)) && schedule.next_runs(1).is_empty(),
        "{schedule}"
    );

    // A person may run it all the same. Its job has no tick.
    let job = schedules.run_now("paused").await.unwrap();
    let output: Option<(i64, Duration)> =
        note::handle(job).wait(&db.client).await.unwrap().into_result().unwrap();
    assert_eq!(output, None);

    let resumed = db.number("select pgjobq.micros(clock_timestamp())").await;
    schedules.resume("paused").await.unwrap();
    schedules.resume("paused").await.unwrap();
    db.until(&format!("exists (select from {JOBS} where schedule = 'paused' and tick is not null)")).await;
    let early = format!("select count(*) from {JOBS} where schedule = 'paused' and tick <= {resumed}");
    assert_eq!(db.number(&early).await, 0, "the ticks of the pause have passed");
    assert_eq!(schedules.get("paused").await.unwrap().last_missed, None);
    worker.shutdown().await.unwrap();
}

on_one_shard!(jobs_of_a_schedule_have_their_options);
async fn jobs_of_a_schedule_have_their_options(db: TestDb) {
    db.client.queue("reports").save().await.unwrap();
    let job = note::job(3)
        .queue("reports")
        .priority(Priority::High)
        .retries(2)
        .key("tenant:42")
        .attribute("region", "eu")
        .expires_in(Duration::from_secs(600));
    let schedules = db.client.schedules();
    schedules.upsert("options", NewSchedule::new("@yearly", job)).await.unwrap();
    let job = schedules.run_now("options").await.unwrap();
    let stored = "select concat_ws(' ', q.name, j.priority, j.retries, j.key, j.attributes, j.max_crashes, j.args,
                                   j.expires_at - j.created_at) from pgjobq.jobs j join pgjobq.queues q on q.id = j.queue_id";
    assert_eq!(
        db.text(&format!("({stored} where j.id = '{job}')")).await,
        "reports 2 2 tenant:42 {\"region\": \"eu\"} 3 {\"n\": 3} 00:10:00"
    );
}

on_one_shard!(jitter_delays_each_tick_by_its_own_time);
async fn jitter_delays_each_tick_by_its_own_time(db: TestDb) {
    let jitter = Duration::from_secs(600);
    let schedule = note::schedule("* * * * * *", 1).jitter(jitter).missed(Missed::RunAll(20));
    db.client.schedules().upsert("jittered", schedule).await.unwrap();
    neglect(&db, "jittered", "20 seconds").await;
    let worker = db.worker().build().await.unwrap().start();
    db.until(&format!("(select count(*) >= 15 from {JOBS})")).await;
    worker.shutdown().await.unwrap();
    let delays = "select (j.run_at - pgjobq.of_micros((j.meta ->> 'tick')::bigint)) as delay, j.meta ->> 'tick' as tick
                    from pgjobq.jobs j where j.run_at is not null";
    let wrong =
        format!("select count(*) from ({delays}) d where delay not between '0' and interval '10 minutes'");
    assert_eq!(db.number(&wrong).await, 0);
    assert!(db.number(&format!("select count(distinct delay) from ({delays}) d")).await >= 10);
    let again = "select count(*) from pgjobq.jobs j
                  where pgjobq.micros(j.run_at) <> pgjobq.jittered_tick('jittered',
                            pgjobq.of_micros((j.meta ->> 'tick')::bigint), '{\"jitter\": 600000000}')";
    assert_eq!(db.number(again).await, 0, "the delay follows from the name and the tick");
}

on_one_shard!(wrong_schedules_are_refused_with_the_reason);
async fn wrong_schedules_are_refused_with_the_reason(db: TestDb) {
    let schedules = db.client.schedules();
    let upsert =
        async |name: &str, schedule: NewSchedule| schedules.upsert(name, schedule).await.unwrap_err();
    let daily = || note::schedule("@daily", 1);

    let error = upsert("a", note::schedule("0 0 1--100000000 * *", 1)).await;
    assert_eq!(
        error.to_string(),
        "`0 0 1--100000000 * *`, at character 5: `1--100000000`: the day is a number from 1 to 31"
    );
    let error = upsert("a", note::schedule("0 0 30 2 *", 1)).await;
    assert!(
        error.to_string().contains("this can never fire: no month that the pattern names has a day 30"),
        "{error}"
    );
    let error = upsert("a", daily().timezone("Europe/Berln")).await;
    assert!(matches!(error, ScheduleError::Invalid(InvalidSchedule::TimeZone { .. })), "{error}");
    let error = upsert("a", daily().missed(Missed::RunAll(0))).await;
    assert!(matches!(error, ScheduleError::Invalid(InvalidSchedule::Missed(_))), "{error}");
    let error = upsert("a", daily().jitter(Duration::ZERO)).await;
    assert!(matches!(error, ScheduleError::Invalid(InvalidSchedule::Jitter(_))), "{error}");
    let (now, hour) = (SystemTime::now(), Duration::from_secs(3600));
    let error = upsert("a", note::schedule("every 1d", 1).timezone("Europe/Berlin")).await;
    assert!(matches!(error, ScheduleError::Invalid(InvalidSchedule::ZoneOfInterval { .. })), "{error}");
    let error = upsert("a", daily().starts(now + hour).ends(now)).await;
    assert!(matches!(error, ScheduleError::Invalid(InvalidSchedule::NeverFires { .. })), "{error}");
    let error = upsert("a", daily().ends(now - hour)).await;
    assert!(matches!(error, ScheduleError::Ended(_)), "{error}");
    let never_again = note::schedule("every 366d", 1).starts(now - hour).ends(now + hour);
    let error = upsert("a", never_again).await;
    assert!(matches!(error, ScheduleError::Ended(_)), "{error}");
    let error = upsert("a", note::schedule("every 1d", 1).starts(now + hour * 24 * 366 * 10_000)).await;
    assert!(matches!(error, ScheduleError::Invalid(InvalidSchedule::OutOfRange)), "{error}");
    let error = upsert("a", NewSchedule::new("@daily", note::job(1).delay(hour))).await;
    assert!(matches!(error, ScheduleError::Once { kind: "note" }), "{error}");
    let error = upsert("a", NewSchedule::new("@daily", note::job(1).queue("nowhere"))).await;
    assert!(matches!(error, ScheduleError::UnknownQueue(_)), "{error}");
    let error = upsert("a", NewSchedule::new("@daily", note::job(1).key(""))).await;
    assert!(matches!(error, ScheduleError::Job(EnqueueError::Key { .. })), "{error}");
    let error = upsert("no spaces", daily()).await;
    assert!(matches!(error, ScheduleError::Name(_)), "{error}");
    assert_eq!(db.number("select count(*) from pgjobq.schedules").await, 0);

    for error in [
        schedules.pause("none").await.unwrap_err(),
        schedules.resume("none").await.unwrap_err(),
        schedules.remove("none").await.unwrap_err(),
        schedules.run_now("none").await.unwrap_err(),
        schedules.get("none").await.unwrap_err(),
    ] {
        assert!(matches!(error, ScheduleError::Unknown(_)), "{error}");
    }
}

on_one_shard!(tick_whose_job_is_refused_is_missed_with_the_reason);
async fn tick_whose_job_is_refused_is_missed_with_the_reason(db: TestDb) {
    db.client.queue("gone").save().await.unwrap();
    let schedules = db.client.schedules();
    let second = NewSchedule::new("* * * * * *", note::job(1).queue("gone"));
    schedules.upsert("refused", second).await.unwrap();
    db.client.queue("gone").delete().await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until("(select last_missed_why like '%no queue%' from pgjobq.schedules where name = 'refused')").await;
    let missed = schedules.get("refused").await.unwrap().last_missed.unwrap();
    assert_eq!(missed.why, "there is no queue 'gone'");
    assert!(matches!(schedules.run_now("refused").await, Err(ScheduleError::NotEnqueued { .. })));
    // It goes on as soon as it can.
    db.client.queue("gone").save().await.unwrap();
    db.until(&format!("exists (select from {JOBS} where schedule = 'refused')")).await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(schedules_fire_without_notifications);
async fn schedules_fire_without_notifications(db: TestDb) {
    let client = Client::builder(db.pool.clone()).notifications(false).build().unwrap();
    let builder = Worker::builder(&client).queue("default", 5).heartbeat(Duration::from_millis(200));
    let worker = builder.poll_interval(Duration::from_millis(200)).build().await.unwrap().start();
    db.until("exists (select from pgjobq.workers where beats > 0)").await;
    client.schedules().upsert("unnotified", note::schedule("* * * * * *", 1)).await.unwrap();
    db.until(&format!("exists (select from {JOBS} where outcome = 'completed')")).await;
    worker.shutdown().await.unwrap();
}
