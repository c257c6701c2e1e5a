//! Jobs enqueued with SQL: from psql, a trigger or another language.

use pgjobq::prelude::*;
use pgjobq::sqlx::{self, AssertSqlSafe, Row};

use crate::harness::TestDb;
use crate::probe::end_of;

#[job(queue = "letters", priority = "high", retries = 7, max_crashes = 2)]
async fn letter(to: String) -> Result<String> {
    Ok(format!("to {to}"))
}

#[job]
async fn nothing() {}

/// Returns the message, the hint and the SQLSTATE of a statement that fails.
async fn refused(db: &TestDb, sql: &str) -> (String, Option<String>, String) {
    let error = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&db.pool).await.unwrap_err();
    let error = error.into_database_error().unwrap().downcast::<sqlx::postgres::PgDatabaseError>();
    (error.message().to_owned(), error.hint().map(str::to_owned), error.code().to_owned())
}

#[track_caller]
fn check_refused(refused: (String, Option<String>, String), message: &str, hint: Option<&str>, code: &str) {
    assert_eq!((refused.0.as_str(), refused.1.as_deref(), refused.2.as_str()), (message, hint, code));
}

on_one_shard!(omitted_options_follow_the_recorded_policy_of_the_kind);
async fn omitted_options_follow_the_recorded_policy_of_the_kind(db: TestDb) {
    let job = letter::handle(JobId::new());
    db.run(&format!("select pgjobq.enqueue('letter', '{{\"to\": \"Ada\"}}', id => '{}')", job.id())).await;
    let row = sqlx::query("select q.name, priority, retries, max_crashes from pgjobq.jobs join pgjobq.queues q on q.id = queue_id")
        .fetch_one(&db.pool).await.unwrap();
    let row: (String, i16, i16, i16) = (row.get(0), row.get(1), row.get(2), row.get(3));
    assert_eq!(row, ("letters".to_owned(), 2, 7, 2));
    let worker = db.worker().queue("letters", 5).build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed("to Ada".to_owned()));
    worker.shutdown().await.unwrap();

    db.run("select pgjobq.enqueue('never_recorded')").await;
    let row = sqlx::query("select q.name, priority, retries, max_crashes from pgjobq.jobs join pgjobq.queues q on q.id = queue_id")
        .fetch_one(&db.pool).await.unwrap();
    let row: (String, i16, i16, i16) = (row.get(0), row.get(1), row.get(2), row.get(3));
    assert_eq!(row, ("default".to_owned(), 1, 20, 3));
}

on_one_shard!(every_option_can_be_given);
async fn every_option_can_be_given(db: TestDb) {
    db.run("select pgjobq.enqueue('nothing', '{}', 'letters', 3, 1, 0, run_at => now() + interval '1 hour')")
        .await;
    db.run("select pgjobq.enqueue('nothing', delay => interval '1 hour')").await;
    let scheduled = "select count(*) from pgjobq.jobs where run_at between now() + interval '59 minutes' and now() + interval '1 hour'";
    assert_eq!(db.number(scheduled).await, 2);
    let row = "select count(*) from pgjobq.jobs where priority = 3 and retries = 1 and max_crashes = 0";
    assert_eq!(db.number(row).await, 1);
    for first in [true, false] {
        let once = "(select concat_ws(' ', job, is_new, outcome)
                       from pgjobq.enqueue('nothing', id => '018f0000-0000-7000-8000-000000000000'))";
        let answer = if first { "t new" } else { "f duplicate" };
        assert_eq!(db.text(once).await, format!("018f0000-0000-7000-8000-000000000000 {answer}"));
    }
}

on_one_shard!(job_of_a_trigger_commits_or_vanishes_with_the_row);
async fn job_of_a_trigger_commits_or_vanishes_with_the_row(db: TestDb) {
    db.run(
        "create table people (name text);
        create function write_letter() returns trigger language plpgsql as $$ begin
            perform pgjobq.enqueue('letter', jsonb_build_object('to', new.name));
            return new;
        end $$;
        create trigger welcome after insert on people for each row execute function write_letter()",
    )
    .await;
    let mut tx = db.pool.begin().await.unwrap();
    sqlx::query("insert into people values ('Nobody')").execute(&mut *tx).await.unwrap();
    tx.rollback().await.unwrap();
    db.run("insert into people values ('Ada'), ('Grace')").await;
    let worker = db.worker().queue("letters", 5).build().await.unwrap().start();
    db.until("(select count(*) from pgjobq.finished) = 2").await;
    let names = "select count(*) from pgjobq.finished where output in ('\"to Ada\"', '\"to Grace\"')";
    assert_eq!(db.number(names).await, 2);
    worker.shutdown().await.unwrap();
}

on_one_shard!(mistakes_are_errors_that_help);
async fn mistakes_are_errors_that_help(db: TestDb) {
    check_refused(
        refused(&db, "select pgjobq.enqueue('nothing', queue => 'nowhere')").await,
        "there is no queue 'nowhere'",
        Some("Create it: select pgjobq.create_queue('nowhere');"),
        "42704",
    );
    check_refused(
        refused(&db, "select pgjobq.enqueue('')").await,
        "a kind is 1 to 100 letters, digits, and _ . : / -, but this one is ''",
        None,
        "22023",
    );
    check_refused(
        refused(&db, "select pgjobq.enqueue(null)").await,
        "a kind is 1 to 100 letters, digits, and _ . : / -, but this one is NULL",
        None,
        "22023",
    );
    check_refused(
        refused(&db, "select pgjobq.enqueue('nothing', null)").await,
        "the arguments of a job are null",
        Some("Leave them out, or pass a JSON object with the job function's arguments by name."),
        "22004",
    );
    let by_name = "Write a JSON object with the job function's arguments by name, such as {\"user_id\": 7}.";
    for (args, shown) in [
        ("[1]", "an array: [1]"),
        ("null", "the JSON null: null"),
        ("5", "a number: 5"),
        ("\"a\"", "a string: \"a\""),
    ] {
        check_refused(
            refused(&db, &format!("select pgjobq.enqueue('nothing', '{args}')")).await,
            &format!("the arguments of a job must be a JSON object, but these are {shown}"),
            Some(by_name),
            "22023",
        );
    }
    check_refused(
        refused(&db, "select pgjobq.enqueue('nothing', jsonb_build_object('a', repeat('a', 1048577)))").await,
        "the arguments of a job are 1048586 bytes, more than 1 MiB",
        Some("Store them in a table or a bucket, and enqueue their key."),
        "54000",
    );
    check_refused(
        refused(&db, "select pgjobq.enqueue('nothing', run_at => 'infinity')").await,
        "a job cannot run at infinity",
        Some("Write a finite time."),
        "22008",
    );
    let far = [
        "run_at => '10000-01-01 00:00Z'",
        "delay => '9000 years'",
        "delay => '300000 years'",
        "delay => '1201 months'",
    ];
    for far in far {
        let answer =
            refused(&db, &format!("set timezone = 'UTC'; select pgjobq.enqueue('nothing', {far})")).await;
        assert!(answer.0.starts_with("a job cannot run in more than a hundred years: at "), "{answer:?}");
        assert_eq!(answer.2, "22008");
    }
    for late in ["delay => '2 hours'", "run_at => now() + interval '2 hours'"] {
        let answer =
            refused(&db, &format!("select pgjobq.enqueue('nothing', {late}, expires_in => '1 hour')")).await;
        assert!(answer.0.starts_with("a job that expires in 01:00:00 and runs at "), "{answer:?}");
    }
    check_refused(
        refused(&db, "select pgjobq.enqueue('nothing', ('{\"a\":' || repeat('[', 127) || repeat(']', 127) || '}')::jsonb)").await,
        "the arguments of a job are nested deeper than 127 arrays and objects",
        Some("Flatten them, or send them as text."), "54000",
    );
    check_refused(
        refused(&db, "select pgjobq.enqueue('nothing', priority => 4)").await,
        "a priority is 0 (low), 1 (normal), 2 (high) or 3 (critical), not 4",
        None,
        "22023",
    );
    check_refused(
        refused(&db, "select pgjobq.enqueue('nothing', retries => -1)").await,
        "`retries` and `max_crashes` are 0 to 32767",
        None,
        "22023",
    );
    let id = "018f0000-0000-7000-8000-000000000000";
    db.run(&format!("select pgjobq.enqueue('nothing', id => '{id}')")).await;
    check_refused(
        refused(&db, &format!("select pgjobq.enqueue('letter', id => '{id}')")).await,
        &format!("job {id} is live with another kind than 'letter'"),
        None,
        "23505",
    );
    db.run("select pgjobq.enqueue('nothing', ('{\"a\":' || repeat('[', 126) || '1' || repeat(']', 126) || '}')::jsonb)").await;
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 2);
}

on_one_shard!(jobs_of_one_limited_key_are_all_new);
async fn jobs_of_one_limited_key_are_all_new(db: TestDb) {
    db.run(
        "insert into pgjobq.limits (scope, name, per_key, concurrency) values ('kind', 'nothing', true, 1);
         select pgjobq.note_limits()",
    )
    .await;
    for _ in 0..2 {
        let new = "select is_new::int from pgjobq.enqueue('nothing', key => 'tenant')";
        assert_eq!(db.number(new).await, 1);
    }
    assert_eq!(db.number("select count(*) from pgjobq.jobs where unique_key is null").await, 2);
}

on_one_shard!(call_states_how_long_a_job_is_unique);
async fn call_states_how_long_a_job_is_unique(db: TestDb) {
    let enqueue = async |rest: &str| {
        let enqueue = format!("(select outcome from pgjobq.enqueue('nothing', unique_key => {rest}))");
        db.text(&enqueue).await
    };
    let hour = "'hour', unique_while => '1h', on_duplicate => 'debounce 5m'";
    assert_eq!(enqueue(hour).await, "new");
    assert_eq!(enqueue(hour).await, "duplicate");
    let until =
        "select count(*) from pgjobq.unique_until where until - clock_timestamp() between '59 min' and '1 h'";
    assert_eq!(db.number(until).await, 1);
    let first =
        "select count(*) from pgjobq.jobs where run_at - clock_timestamp() between '4 min' and '5 min'";
    assert_eq!(db.number(first).await, 1, "the first one waits, too");

    let waiting = "'waits', unique_while => 'waiting', on_duplicate => 'replace_args', args => ";
    assert_eq!(enqueue(&format!("{waiting} '{{\"n\": 1}}'")).await, "new");
    assert_eq!(enqueue(&format!("{waiting} '{{\"n\": 2}}'")).await, "duplicate");
    let request = "(select concat_ws(' ', lasts, answer) from pgjobq.unique_requests where job->>'unique_key' = 'waits')";
    assert_eq!(db.text(request).await, "waiting replace_args");
}

on_one_shard!(wrong_words_for_unique_jobs_are_refused);
async fn wrong_words_for_unique_jobs_are_refused(db: TestDb) {
    let answers =
        "There are keep, replace, replace_args, replace_run_at, and debounce with a time: debounce 5s.";
    let range = "Write one from 1 microsecond to 366 days.";
    for (call, message, hint) in [
        (
            "unique_key => 'a', unique_while => 'ever'",
            "'ever' is no time of a unique job",
            "There are live, waiting, or a time, such as 1 hour.",
        ),
        ("unique_key => 'a', on_duplicate => 'merge'", "'merge' is no answer to a duplicate", answers),
        ("unique_key => 'a', on_duplicate => '5s'", "'5s' is no answer to a duplicate", answers),
        (
            "unique_key => 'a', on_duplicate => 'debounce soon'",
            "'debounce soon' is no answer to a duplicate",
            answers,
        ),
        ("unique_key => 'a', unique_while => '0s'", "the time '0s' is out of range", range),
        (
            "unique_key => 'a', on_duplicate => 'debounce 400 days'",
            "the time '400 days' is out of range",
            range,
        ),
        (
            "unique_while => 'waiting'",
            "jobs of the kind 'nothing' are not unique",
            "Write unique_key => ..., or leave out unique_while and on_duplicate.",
        ),
    ] {
        let answer = refused(&db, &format!("select pgjobq.enqueue('nothing', {call})")).await;
        check_refused(answer, message, Some(hint), "22023");
    }
}
