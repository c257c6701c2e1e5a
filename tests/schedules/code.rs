//! Schedules in attributes, and programs that come and go.

use pgjobq::{Missed, Overlap, ScheduleError, ScheduleSource, ScheduleState};

use crate::harness::TestDb;
use crate::jobs::{JOBS, Logged, ended, neglect, note, twice, yearly};

/// The worker has declared all schedules, and ended the one that has no tick.
const DECLARED: &str = "(select count(*) filter (where next_at > clock_timestamp()) = 4
        and bool_or(name = 'ended' and next_at is null) from pgjobq.schedules)";

on_one_shard!(schedules_of_attributes_are_declared);
async fn schedules_of_attributes_are_declared(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    db.until(DECLARED).await;
    let schedules = db.client.schedules().list().await.unwrap();
    let names: Vec<&str> = schedules.iter().map(|schedule| &*schedule.name).collect();
    assert_eq!(names, ["ended", "heavy", "twice/evening", "twice/morning", "yearly"]);
    assert_eq!((&*schedules[0].kind, schedules[0].next_at), (ended::KIND, None));
    assert_eq!(schedules[2].kind, twice::KIND);
    let yearly = &schedules[4];
    assert_eq!((&*yearly.kind, &*yearly.timezone), (yearly::KIND, "Europe/Berlin"));
    assert_eq!((yearly.missed, yearly.overlap, &*yearly.args), (Missed::RunAll(3), Overlap::Skip, "{}"));
    assert_eq!((&yearly.source, yearly.state), (&ScheduleSource::Code, ScheduleState::Active));
    assert_eq!(yearly.next_runs(2).len(), 2);

    // Another start of the same program changes nothing.
    let rows = "(select string_agg(concat(name, digest, version, next_at, passed_to), ',' order by name) from pgjobq.schedules)";
    let before = db.text(rows).await;
    worker.shutdown().await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until("exists (select from pgjobq.workers where beats > 1)").await;
    assert_eq!(db.text(rows).await, before);
    worker.shutdown().await.unwrap();
}

on_one_shard!(ended_schedule_in_the_code_is_warned_of);
async fn ended_schedule_in_the_code_is_warned_of(db: TestDb) {
    let logged = Logged::default();
    let listening = logged.listen();
    let worker = db.worker().build().await.unwrap();
    drop(listening);
    let logged = logged.text();
    assert_eq!(logged.matches("a schedule in the code has ended").count(), 1, "{logged}");
    assert!(logged.contains("schedule=\"ended\""), "{logged}");
    worker.start().shutdown().await.unwrap();
}

on_one_shard!(missed_tick_of_a_code_schedule_runs);
async fn missed_tick_of_a_code_schedule_runs(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    db.until(DECLARED).await;
    worker.shutdown().await.unwrap();
    // `yearly` has `run_all(3)` and skips overlapping ticks: of the last three New Years the first has a job.
    neglect(&db, "yearly", "10 years").await;
    let worker = db.worker().build().await.unwrap().start();
    db.until(&format!("exists (select from {JOBS} where schedule = 'yearly')")).await;
    assert_eq!(db.number(&format!("select count(*) from {JOBS}")).await, 1);
    let local = "select (pgjobq.of_micros(tick) at time zone 'Europe/Berlin')::time::text = '00:00:00'";
    assert_eq!(db.text(&format!("({local} from {JOBS})")).await, "true");
    assert_eq!(db.number("select count(*) from pgjobq.ticks where job is null").await, 2);
    worker.shutdown().await.unwrap();
}

on_one_shard!(stored_definition_wins_until_it_is_removed);
async fn stored_definition_wins_until_it_is_removed(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    db.until("(select count(*) = 5 from pgjobq.schedules)").await;
    let schedules = db.client.schedules();
    let refused = schedules.remove("yearly").await.unwrap_err();
    assert!(matches!(&refused, ScheduleError::InCode(name) if name == "yearly"), "{refused}");

    let other = schedules.upsert("yearly", note::schedule("* * * * * *", 5)).await.unwrap_err();
    assert!(matches!(&other, ScheduleError::OtherKind { name, kind: "note" } if name == "yearly"), "{other}");
    schedules.upsert("yearly", yearly::schedule("* * * * * *")).await.unwrap();
    db.until("exists (select from pgjobq.ticks where schedule = 'yearly' and job is not null)").await;
    // A worker that starts does not undo it.
    let another = db.worker().build().await.unwrap().start();
    db.until("(select count(*) = 2 and bool_and(beats > 1) from pgjobq.workers)").await;
    let stored = schedules.get("yearly").await.unwrap();
    assert!(
        matches!(&stored.source, ScheduleSource::Stored { .. }) && stored.text == "* * * * * *",
        "{stored}"
    );

    schedules.remove("yearly").await.unwrap();
    let schedule = schedules.get("yearly").await.unwrap();
    assert_eq!((&*schedule.text, &schedule.source), ("0 0 1 1 *", &ScheduleSource::Code));
    db.until(
        "(select next_at > passed_to and digest is not null from pgjobq.schedules where name = 'yearly')",
    )
    .await;
    assert_eq!(schedule.kind, yearly::KIND);
    another.shutdown().await.unwrap();
    worker.shutdown().await.unwrap();
}

/// Programs with other code, as far as the database knows them: the definitions that they record, and the rows of their workers.
struct Programs<'d>(&'d TestDb);

impl Programs<'_> {
    /// Starts a worker of a program whose code has these texts for the schedule `deployed`; `None` if it has no such schedule.
    async fn start(&self, worker: i64, text: Option<&str>) {
        let mut digests = String::new();
        if let Some(text) = text {
            let definition = format!(
                r#"{{"text": "{text}", "timezone": "UTC", "missed": "skip", "overlap": "allow",
                    "job": {{"kind": "note", "args": {{"n": 1}}}}}}"#
            );
            self.0
                .run(&format!(
                    r#"select pgjobq.record_schedules('[{{"name": "deployed", "digest": "{text}", "definition": {definition}}}]')"#
                ))
                .await;
            digests = format!("\"{text}\"");
        }
        self.register(worker, "note", &digests).await;
    }

    async fn register(&self, worker: i64, kind: &str, digests: &str) {
        self.0
            .run(&format!(
                "select pgjobq.register_worker(0::smallint, {worker}, 'w', '1 day', '{{default}}', '{{{kind}}}',
                                               p_schedules => '{{{digests}}}')"
            ))
            .await;
    }

    async fn stop(&self, worker: i64) {
        self.0.run(&format!("select pgjobq.leave(0::smallint, {worker})")).await;
    }

    /// Returns the text of the schedule after the look of a worker: `-` if it has stopped.
    async fn text(&self) -> String {
        self.0.run("select pgjobq.look_at_schedules(100)").await;
        self.0
            .text("(select case when stopped_at is null then code ->> 'text' else '-' end from pgjobq.schedules)")
            .await
    }
}

on_one_shard!(newest_definition_wins_while_a_worker_declares_it);
async fn newest_definition_wins_while_a_worker_declares_it(db: TestDb) {
    let programs = Programs(&db);
    let (old, new) = ("0 9 * * *", "0 8 * * *");
    programs.start(1, Some(old)).await;
    programs.start(2, Some(old)).await;
    assert_eq!(programs.text().await, old);
    // A rolling deploy: two versions side by side.
    programs.start(3, Some(new)).await;
    assert_eq!(programs.text().await, new);
    programs.stop(1).await;
    assert_eq!(programs.text().await, new);
    // An old one crashes, and starts again.
    programs.stop(2).await;
    programs.start(2, Some(old)).await;
    assert_eq!(programs.text().await, new);
    let version = "select version from pgjobq.schedules";
    let before = db.number(version).await;
    assert_eq!(programs.text().await, new);
    assert_eq!(db.number(version).await, before, "a look that finds nothing new changes nothing");
    // The deploy is taken back.
    programs.start(1, Some(old)).await;
    programs.stop(3).await;
    assert_eq!(programs.text().await, old);
    // And it is tried again.
    programs.start(3, Some(new)).await;
    assert_eq!(programs.text().await, new);
    programs.stop(1).await;
    programs.stop(2).await;
    assert_eq!(programs.text().await, new);
}

on_one_shard!(schedule_removed_from_the_code_stops_with_its_last_worker);
async fn schedule_removed_from_the_code_stops_with_its_last_worker(db: TestDb) {
    let programs = Programs(&db);
    let text = "0 9 * * *";
    programs.start(1, Some(text)).await;
    programs.start(2, Some(text)).await;
    assert_eq!(programs.text().await, text);
    programs.start(3, None).await;
    programs.stop(1).await;
    assert_eq!(programs.text().await, text, "an old worker still declares it");
    programs.stop(2).await;
    db.run("create table before as select clock_timestamp() as set_back").await;
    assert_eq!(programs.text().await, "-");
    assert_eq!(db.number("select count(*) from pgjobq.schedules where next_at is null").await, 1);
    let schedule = db.client.schedules().get("deployed").await.unwrap();
    assert!(matches!(schedule.state, ScheduleState::Stopped(_)) && schedule.next_at.is_none(), "{schedule}");
    // The deploy is taken back: it fires again, and catches up on nothing but the last minute.
    programs.start(1, Some(text)).await;
    assert_eq!(programs.text().await, text);
    let caught_up =
        "select count(*) from pgjobq.schedules where passed_to < clock_timestamp() - interval '1 minute'";
    assert_eq!(db.number(caught_up).await, 0);
    let kept = "select count(*) from pgjobq.schedules where passed_to < (select set_back from before)";
    assert_eq!(db.number(kept).await, 1, "a tick of the last minute would be lost");
    programs.stop(1).await;
    assert_eq!(programs.text().await, "-");
    db.client.schedules().remove("deployed").await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.schedules").await, 0);
}

on_one_shard!(schedule_goes_on_while_its_whole_program_is_away);
async fn schedule_goes_on_while_its_whole_program_is_away(db: TestDb) {
    let programs = Programs(&db);
    let text = "0 9 * * *";
    programs.start(1, Some(text)).await;
    programs.register(7, "mail", "").await;
    assert_eq!(programs.text().await, text);
    programs.stop(1).await;
    assert_eq!(programs.text().await, text, "no worker that knows its kind says otherwise");
    let version = db.number("select version from pgjobq.schedules").await;
    programs.start(1, Some(text)).await;
    assert_eq!(programs.text().await, text);
    assert_eq!(db.number("select version from pgjobq.schedules").await, version);
}

on_one_shard!(schedule_of_a_deleted_job_function_can_be_removed);
async fn schedule_of_a_deleted_job_function_can_be_removed(db: TestDb) {
    let programs = Programs(&db);
    let schedules = db.client.schedules();
    let text = "0 9 * * *";
    programs.start(1, Some(text)).await;
    programs.register(7, "mail", "").await;
    assert_eq!(programs.text().await, text);
    assert!(schedules.get("deployed").await.unwrap().is_declared);
    let refused = schedules.remove("deployed").await.unwrap_err();
    assert!(matches!(&refused, ScheduleError::InCode(_)), "{refused}");

    // No worker knows its kind any more, so that nothing tells it from one whose program is away.
    programs.stop(1).await;
    assert_eq!(programs.text().await, text);
    assert!(!schedules.get("deployed").await.unwrap().is_declared);
    schedules.remove("deployed").await.unwrap();
    db.run("select pgjobq.look_at_schedules(100)").await;
    assert_eq!(db.number("select count(*) from pgjobq.schedules").await, 0);

    // It was only away.
    programs.start(1, Some(text)).await;
    assert_eq!(programs.text().await, text);
    programs.stop(1).await;

    // A definition that was set above such code does not leave it behind.
    schedules.upsert("deployed", note::schedule("@hourly", 1)).await.unwrap();
    schedules.remove("deployed").await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.schedules").await, 0);

    // The row of a worker that died stays until another worker finds it.
    programs.start(1, Some(text)).await;
    assert_eq!(programs.text().await, text);
    db.run("update pgjobq.workers set seen_at = seen_at - interval '2 days'").await;
    assert!(!schedules.get("deployed").await.unwrap().is_declared);
    schedules.remove("deployed").await.unwrap();
}

on_one_shard!(name_in_the_code_belongs_to_its_kind);
async fn name_in_the_code_belongs_to_its_kind(db: TestDb) {
    let programs = Programs(&db);
    programs.start(1, Some("0 9 * * *")).await;
    assert_eq!(programs.text().await, "0 9 * * *");
    let upsert = async || db.client.schedules().upsert("deployed", twice::schedule("@daily")).await;
    let refused = upsert().await.unwrap_err();
    assert!(matches!(&refused, ScheduleError::OtherKind { name, .. } if name == "deployed"), "{refused}");
    // Its program is away: the name is still taken.
    programs.stop(1).await;
    upsert().await.unwrap_err();
    // The next version of the program has no such schedule, so the name is free.
    programs.start(1, None).await;
    assert_eq!(programs.text().await, "-");
    upsert().await.unwrap();
    // Under the name of a definition that was set, the code counts only while a worker that has it runs.
    db.client.schedules().remove("deployed").await.unwrap();
    programs.start(2, Some("0 9 * * *")).await;
    db.client.schedules().upsert("deployed", note::schedule("@daily", 5)).await.unwrap();
    upsert().await.unwrap_err();
    programs.stop(2).await;
    upsert().await.unwrap();
}

on_one_shard!(old_program_keeps_its_own_declaration);
async fn old_program_keeps_its_own_declaration(db: TestDb) {
    let programs = Programs(&db);
    let text = "0 9 * * *";
    programs.start(1, Some(text)).await;
    programs.stop(1).await;
    db.run(
        "insert into pgjobq.schedule_declarations (digest, schedule, definition)
         select 'newer' || n, schedule, definition from pgjobq.schedule_declarations, generate_series(1, 200) n",
    )
    .await;
    programs.start(1, Some(text)).await;
    assert_eq!(programs.text().await, text);
    let kept = "select count(*) from pgjobq.schedule_declarations";
    assert_eq!(db.number(kept).await, 101, "the newest hundred, and its own");
}

on_one_shard!(badly_named_definition_stops_no_schedule);
async fn badly_named_definition_stops_no_schedule(db: TestDb) {
    let programs = Programs(&db);
    let definition = r#"{"text": "@daily", "timezone": "UTC", "missed": "skip", "overlap": "allow",
                         "job": {"kind": "note", "args": {"n": 1}}}"#;
    for name in ["tidy/täglich", "two words", &"x".repeat(101)] {
        let bad = format!(
            r#"select pgjobq.record_schedules('[{{"name": "{name}", "digest": "bad", "definition": {definition}}}]')"#
        );
        let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(bad)).execute(&db.pool).await.unwrap_err();
        assert!(refused.to_string().contains("schedule_declarations_schedule_check"), "{refused}");
    }
    programs.register(9, "note", "\"bad\"").await;
    programs.start(1, Some("0 9 * * *")).await;
    assert_eq!(programs.text().await, "0 9 * * *");
}

on_one_shard!(recorded_schedules_that_have_ended_are_returned);
async fn recorded_schedules_that_have_ended_are_returned(db: TestDb) {
    let minute = 60_000_000;
    let now = db.number("select pgjobq.micros(clock_timestamp())").await;
    let entry = |name: &str, last: &str| {
        format!(
            r#"{{"name": "{name}", "digest": "{name}", "last": {last}, "definition": {{"text": "@daily", "job": {{"kind": "note"}}}}}}"#
        )
    };
    let entries = [
        entry("past", &(now - minute).to_string()),
        entry("endless", "null"),
        entry("coming", &(now + 60 * minute).to_string()),
    ];
    let record = format!("select pgjobq.record_schedules('[{}]')::text", entries.join(", "));
    assert_eq!(db.text(&format!("({record})")).await, "{past}");
}
