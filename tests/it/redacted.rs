//! Redacted arguments are shown nowhere.

use std::time::Duration;

use pgjobq::filter;
use pgjobq::prelude::*;
use pgjobq::{EnqueueOutcome, OnDuplicate, UniqueWhile};

use crate::harness::TestDb;

const SECRET: &str = "hunter2";
const HIDDEN: &str = r#"{"user": "ada", "password": "[redacted]"}"#;

#[job(kind = "redacted_login", aliases = ["redacted_sign_in"], redact = [password])]
async fn login(user: String, password: String) {
    let _ = (user, password);
}

/// It is unique by a secret, among the jobs of a user.
#[job(kind = "redacted_pin", redact = pin, key = user, concurrency = 1, unique = (user, pin))]
async fn pin(user: String, pin: String) {
    let _ = (user, pin);
}

#[job(kind = "redacted_all", redact = password, unique = args)]
async fn all(password: String) {
    let _ = password;
}

#[job(kind = "redacted_mixed", redact = password, unique = format!("{user}:{password}"))]
async fn mixed(user: String, password: String) {
    let _ = (user, password);
}

fn secret() -> String {
    SECRET.to_owned()
}

/// All that people see of all jobs, and of all schedules.
async fn shown(db: &TestDb) -> String {
    let mut shown = db
        .text(
            "select coalesce(string_agg(s::text || coalesce(e.sentences, ''), ' '), '')
               from pgjobq.job_states s, lateral (select string_agg(concat_ws(' ', sentence, details), ' ') as sentences
                                                    from pgjobq.explain(s.id)) e",
        )
        .await;
    let ids = db.text("select coalesce(string_agg(id::text, ' '), '') from pgjobq.job_states").await;
    for id in ids.split_whitespace() {
        let details = db.client.job(id.parse::<JobId>().unwrap()).details().await.unwrap();
        shown += &format!("{details:?}");
    }
    let mut export = db.client.jobs(filter::all()).export();
    while let Some(line) = export.next().await.unwrap() {
        shown += &line;
    }
    shown + &format!("{:?}", db.client.jobs(filter::all()).list(100).await.unwrap())
}

async fn sql(db: &TestDb, kind: &str, args: &str) -> String {
    db.text(&format!("select outcome from pgjobq.enqueue('{kind}', '{args}')")).await
}

async fn args_of(db: &TestDb, job: JobId) -> String {
    db.client.job(job).details().await.unwrap().unwrap().args
}

/// Records what another program says of a kind.
async fn record(db: &TestDb, kind: &str, redact: &str) {
    let policy = r#""queue": "default", "priority": 1, "retries": 20, "max_crashes": 3"#;
    db.run(&format!(r#"select pgjobq.record_kinds('[{{"kind": "{kind}", {policy}, "redact": {redact}}}]')"#))
        .await;
}

on_one_shard!(argument_that_was_renamed_stays_hidden);
async fn argument_that_was_renamed_stays_hidden(db: TestDb) {
    record(&db, "redacted_login", r#"["pass_phrase"]"#).await;
    sql(&db, "redacted_login", r#"{"user": "ada", "pass_phrase": "hunter2"}"#).await;
    sql(&db, "redacted_login", "{}").await;
    // The code of today has another name for it, and one of tomorrow redacts nothing.
    db.client.migrate().await.unwrap();
    record(&db, "redacted_login", "[]").await;
    sql(&db, "redacted_login", r#"{"user": "bob", "password": "hunter2"}"#).await;
    db.client.jobs(filter::all()).cancel().await.unwrap();
    let shown = shown(&db).await;
    assert!(shown.contains("[redacted]") && !shown.contains(SECRET), "{shown}");
    let names = "select array_to_string(redact, ' ') from pgjobq.kinds where kind = 'redacted_login'";
    assert_eq!(db.text(names).await, "password pass_phrase");
}

on_one_shard!(former_name_of_a_kind_hides_the_same);
async fn former_name_of_a_kind_hides_the_same(db: TestDb) {
    sql(&db, "redacted_sign_in", r#"{"user": "ada", "password": "hunter2"}"#).await;
    record(&db, "redacted_sign_in", "[]").await;
    let shown = shown(&db).await;
    assert!(shown.contains("ada") && !shown.contains(SECRET), "{shown}");
}

on_one_shard!(job_is_hidden_before_any_program_records_its_kind);
async fn job_is_hidden_before_any_program_records_its_kind(db: TestDb) {
    db.run("delete from pgjobq.kinds").await;
    let job = login::enqueue(&db.client, "ada".to_owned(), secret()).await.unwrap();
    assert_eq!(args_of(&db, job.id()).await, HIDDEN);
    job.cancel(&db.client).await.unwrap();
    let job = db.client.job(job.id());
    job.requeue().await.unwrap();
    assert_eq!(job.details().await.unwrap().unwrap().args, HIDDEN, "it came back");

    let schedule = login::schedule("@daily", "ada".to_owned(), secret());
    db.client.schedules().upsert("logins", schedule).await.unwrap();
    let listed = db.client.schedules().get("logins").await.unwrap();
    assert!(!listed.args.contains(SECRET), "{}", listed.args);
    let scheduled = db.client.schedules().run_now("logins").await.unwrap();
    assert_eq!(args_of(&db, scheduled).await, HIDDEN);

    // Arguments that replace those of a job that redacts nothing.
    db.run("delete from pgjobq.jobs").await;
    let old = "select job::text from pgjobq.enqueue('redacted_login', '{\"user\": \"ada\"}', delay => '1 hour', unique_key => 'a')";
    let old: JobId = db.text(old).await.parse().unwrap();
    let new = login::job("ada".to_owned(), secret()).unique("a").on_duplicate(OnDuplicate::ReplaceArgs);
    assert_eq!(new.enqueue(&db.client).await.unwrap().outcome(), EnqueueOutcome::Replaced(old));
    db.until("(select args ? 'password' from pgjobq.jobs)").await;
    assert_eq!(args_of(&db, old).await, HIDDEN);
}

on_one_shard!(arguments_that_are_no_object_are_hidden_whole);
async fn arguments_that_are_no_object_are_hidden_whole(db: TestDb) {
    let job = login::enqueue(&db.client, "ada".to_owned(), secret()).await.unwrap();
    db.run(r#"update pgjobq.jobs set args = '["hunter2"]'"#).await;
    assert_eq!(args_of(&db, job.id()).await, "\"[redacted]\"");
    db.run(r#"update pgjobq.jobs set args = '{"password": "hunter2"}', meta = '{"redact": 7}'"#).await;
    assert_eq!(args_of(&db, job.id()).await, r#"{"password": "[redacted]"}"#);
}

on_one_and_eight_shards!(unique_key_of_secrets_is_a_digest);
async fn unique_key_of_secrets_is_a_digest(db: TestDb) {
    let ada = || "ada".to_owned();
    pin::enqueue(&db.client, ada(), secret()).await.unwrap();
    all::enqueue(&db.client, secret()).await.unwrap();
    mixed::enqueue(&db.client, ada(), secret()).await.unwrap();
    let keys = "select count(*) from pgjobq.jobs where unique_key ~ '^[0-9a-f]{64}$'";
    assert_eq!(db.number(keys).await, 3);
    let shown = shown(&db).await;
    assert!(shown.contains("unique key") && !shown.contains(SECRET), "{shown}");

    // Every other way computes the same.
    let args = r#"{"user": "ada", "pin": "hunter2"}"#;
    assert_eq!(sql(&db, "redacted_pin", args).await, "duplicate");
    assert_eq!(sql(&db, "redacted_all", r#"{"password": "hunter2"}"#).await, "duplicate");
    db.client.schedules().upsert("pins", pin::schedule("@daily", ada(), secret())).await.unwrap();
    db.client.schedules().upsert("mixed", mixed::schedule("@daily", ada(), secret())).await.unwrap();
    for schedule in ["pins", "mixed"] {
        let error = db.client.schedules().run_now(schedule).await.unwrap_err().to_string();
        assert!(error.contains("has its unique key"), "{error}");
    }
    assert_eq!(sql(&db, "redacted_pin", r#"{"user": "ada", "pin": "1234"}"#).await, "new");
    assert_eq!(sql(&db, "redacted_pin", r#"{"user": "bob", "pin": "hunter2"}"#).await, "new");
}

on_one_shard!(unique_key_of_the_call_is_shown);
async fn unique_key_of_the_call_is_shown(db: TestDb) {
    let hour = UniqueWhile::For(Duration::from_secs(3600));
    let job = all::job(secret()).unique("order 7").unique_while(hour).enqueue(&db.client).await.unwrap();
    let status = job.status(&db.client).await.unwrap().unwrap();
    assert_eq!(status.unique_key.as_deref(), Some("order 7"));
    let other = "select outcome from pgjobq.enqueue('redacted_all', '{\"password\": \"x\"}', unique_key => 'order 8')";
    assert_eq!(db.text(other).await, "new");
    assert_eq!(db.number("select count(*) from pgjobq.jobs where unique_key = 'order 8'").await, 1);
}
