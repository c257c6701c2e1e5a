//! Invalid jobs: an enqueue rejects each with a clear error. None reaches a worker, and the caller's transaction goes on.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use pgjobq::prelude::*;
use pgjobq::{CancelOutcome, FailureReason, JobState, RequeueOutcome};
use pgjobq_core::worker_api::Policy;
use serde_json::value::RawValue;

use crate::error_text::{check_says, whole};
use crate::harness::TestDb;
use crate::probe::end_of;

#[job]
async fn take_text(text: String) -> Result<usize> {
    Ok(text.len())
}

#[job(kind = "take_number", backoff = "1ms")]
async fn take_number(number: u8) -> Result<u8> {
    Ok(number)
}

#[job]
async fn take_map(map: BTreeMap<Vec<u8>, u8>) {
    let _ = map;
}

#[job]
async fn take_floats(floats: Vec<f64>) {
    let _ = floats;
}

#[job]
async fn take_raw(raw: Box<RawValue>) {
    let _ = raw;
}

#[job(retries = 0)]
async fn fail_with(text: String) -> Result<()> {
    Err(text.into())
}

#[job(retries = 0)]
async fn panic_with(text: String) {
    panic!("{text}")
}

#[job]
async fn give_back(text: String) -> Result<String> {
    Ok(text)
}

fn text(text: &str) -> NewJob<usize> {
    take_text::job(text.to_owned())
}

on_one_shard!(names_that_no_queue_can_have);
async fn names_that_no_queue_can_have(db: TestDb) {
    let to = |queue: &str| text("").queue(queue).enqueue(&db.client);
    check_says(
        to("").await,
        "the name of a queue is 1 to 100 ASCII letters, digits and `_ - . : /`, but this one is empty",
    );
    check_says(
        to(&"long".repeat(50)).await,
        "the name of a queue is 1 to 100 ASCII letters, digits and `_ - . : /`, but this one is 200 characters long: \
         \"longlonglonglonglonglonglonglonglonglong\"…",
    );
    check_says(
        to("a\0b").await,
        "the name of a queue is 1 to 100 ASCII letters, digits and `_ - . : /`, but this one is \"a\\0b\"",
    );
    check_says(
        db.client.queue("a b").save().await,
        "the name of a queue is 1 to 100 ASCII letters, digits and `_ - . : /`, but this one is \"a b\"",
    );
    check_says(
        NewJob::<()>::new("über", &Policy::DEFAULT, &()).enqueue(&db.client).await,
        "the name of a kind is 1 to 100 ASCII letters, digits and `_ - . : /`, but this one is \"über\"",
    );
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 0);
}

on_one_shard!(arguments_over_the_limit);
async fn arguments_over_the_limit(db: TestDb) {
    let frame = r#"{"text": ""}"#.len(); // As PostgreSQL prints it.
    let most = "a".repeat((1 << 20) - frame);
    text(&most).enqueue(&db.client).await.unwrap();
    check_says(
        text(&(most + "a")).enqueue(&db.client).await,
        "the arguments of the `take_text` job are 1048577 bytes as PostgreSQL prints them, more than the limit of 1048576: store them elsewhere and \
         enqueue their name, or raise the client's `max_args`",
    );
    let strict = Client::builder(db.pool.clone()).max_args(100).build().unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let limit = "the arguments of the `take_text` job are 101 bytes as PostgreSQL prints them, more than the limit of 100: store them \
                 elsewhere and enqueue their name, or raise the client's `max_args`";
    let long = "a".repeat(101 - frame);
    check_says(text(&long).enqueue(&strict).await, limit);
    check_says(text(&long).enqueue(strict.within(&mut tx)).await, limit);
    text(&long[1..]).enqueue(strict.within(&mut tx)).await.unwrap();
    tx.commit().await.unwrap();
    let generous = Client::builder(db.pool.clone()).max_args(2 << 20).build().unwrap();
    text(&"a".repeat(1 << 20)).enqueue(&generous).await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 3);
}

on_one_shard!(arguments_that_cannot_be_stored);
async fn arguments_that_cannot_be_stored(db: TestDb) {
    check_says(
        text("a\0b").enqueue(&db.client).await,
        "the arguments of the `take_text` job hold a NUL character (\\u0000), which PostgreSQL cannot store in JSON: remove \
         it, or encode the bytes",
    );
    text("a\\u0000b").enqueue(&db.client).await.unwrap(); // Six characters, none of them NUL.
    check_says(
        take_map::job(BTreeMap::from([(vec![1], 1)])).enqueue(&db.client).await,
        "the arguments of the `take_map` job could not be written as JSON: `map` has a map with keys that are no text, and JSON has no others: send a list of pairs, \
         `Vec<(K, V)>`",
    );
    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let said = whole(&take_floats::job(vec![1.0, float]).enqueue(&db.client).await.unwrap_err());
        let start = "the arguments of the `take_floats` job could not be written as JSON: `floats` is ";
        assert!(said.starts_with(start) && said.contains("which JSON cannot express"), "{said}");
    }
    let number = |text: &str| take_raw::job(RawValue::from_string(text.to_owned()).unwrap());
    for (text, shown) in [("1e131072", "1e131072"), ("-2.5E-16383", "-2.5E-16383")] {
        check_says(
            number(text).enqueue(&db.client).await,
            &format!(
                "the arguments of the `take_raw` job hold the number {shown}, which PostgreSQL cannot store: it has at \
                      most 131072 digits before the decimal point and 16383 after it"
            ),
        );
    }
    // The arguments are an object, which is one level more.
    number(&("[".repeat(126) + &"]".repeat(126))).enqueue(&db.client).await.unwrap();
    check_says(
        number(&("[".repeat(127) + &"]".repeat(127))).enqueue(&db.client).await,
        "the arguments of the `take_raw` job are nested deeper than 127 arrays and objects, which serde_json does not read \
         back: flatten them, or send them as text",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn argument_limit_holds_for_printed_numbers() {
    let db = TestDb::new(1).await;
    // Each float is five characters when sent, and 309 characters when a claim reads it.
    let floats = |count| take_floats::job(vec![1e308; count]);
    floats(3000).enqueue(&db.client).await.unwrap();
    assert_eq!(db.number("select octet_length(args::text) from pgjobq.jobs").await, 3000 * 311 - 2 + 14);
    let said = whole(&floats(10_000).enqueue(&db.client).await.unwrap_err());
    assert!(
        said.starts_with(
            "the arguments of the `take_floats` job are 3110012 bytes as PostgreSQL prints them"
        ),
        "{said}"
    );
    let json = format!("[{}]", ["1e131071"; 9].join(","));
    let said =
        whole(&take_raw::job(RawValue::from_string(json).unwrap()).enqueue(&db.client).await.unwrap_err());
    assert!(said.starts_with("the arguments of the `take_raw` job are 1179"), "{said}");
}

on_one_shard!(times_and_counts_that_make_no_sense);
async fn times_and_counts_that_make_no_sense(db: TestDb) {
    let far = "the `take_text` job was to start or expire in more than a hundred years, or to be unique for as long: a unit may be wrong";
    check_says(text("").delay(Duration::MAX).enqueue(&db.client).await, far);
    let centuries = Duration::from_secs(300 * 366 * 24 * 60 * 60);
    check_says(text("").run_at(SystemTime::now() + centuries).enqueue(&db.client).await, far);
    check_says(text("").expires_in(Duration::MAX).enqueue(&db.client).await, far);
    let never = "the `take_text` job would expire before it comes due: let it expire later, or run sooner";
    check_says(text("").expires_in(Duration::ZERO).enqueue(&db.client).await, never);
    let minute = Duration::from_secs(60);
    check_says(text("").delay(minute).expires_in(minute).enqueue(&db.client).await, never);
    let hour = SystemTime::now() + 60 * minute;
    check_says(text("").run_at(hour).expires_in(minute).enqueue(&db.client).await, never);
    let many = "the `take_text` job has 40000 retries or crashes, and can have at most 32767";
    check_says(text("").retries(40_000).enqueue(&db.client).await, many);
    check_says(text("").max_crashes(40_000).enqueue(&db.client).await, many);
    let past = text("").run_at(SystemTime::UNIX_EPOCH - centuries).enqueue(&db.client).await.unwrap();
    assert_eq!(past.status(&db.client).await.unwrap().unwrap().state, JobState::Ready);
}

on_one_shard!(unknown_queue_leaves_the_callers_transaction_as_it_was);
async fn unknown_queue_leaves_the_callers_transaction_as_it_was(db: TestDb) {
    let unknown = "there is no queue `nowhere`: create it once with `client.queue(\"nowhere\").save().await?`, or let \
                   `client.migrate()` record the queues of the jobs linked into the program";
    let mut tx = db.pool.begin().await.unwrap();
    let before = text("").enqueue(&mut *tx).await.unwrap();
    check_says(text("").queue("nowhere").enqueue(&mut *tx).await, unknown);
    let after = text("").enqueue(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    for job in [before, after] {
        assert_eq!(job.status(&db.client).await.unwrap().unwrap().state, JobState::Ready);
    }
    check_says(text("").queue("nowhere").enqueue(&db.client).await, unknown);
    db.client.queue("nowhere").save().await.unwrap();
    text("").queue("nowhere").enqueue(&db.client).await.unwrap();
}

on_one_shard!(id_is_a_duplicate_while_its_job_lives);
async fn id_is_a_duplicate_while_its_job_lives(db: TestDb) {
    let id = JobId::new();
    let first = text("first").id(id).enqueue(&db.client).await.unwrap();
    let second = text("second").id(id).enqueue(&db.client).await.unwrap();
    assert_eq!((first.is_new(), second.is_new()), (true, false));
    let mut tx = db.pool.begin().await.unwrap();
    check_says(
        take_number::job(1).id(id).enqueue(&mut *tx).await,
        &format!("job {id} is live already, and of another kind than `take_number`"),
    );
    assert!(
        !text("third").id(id).enqueue(&mut *tx).await.unwrap().is_new(),
        "the transaction is still usable"
    );
    tx.commit().await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &second).await, Outcome::Completed("first".len()));
    let again = take_number::job(9).id(id).enqueue(&db.client).await.unwrap();
    assert!(again.is_new());
    assert_eq!(
        end_of(&db.client, &again).await,
        Outcome::Completed(9),
        "the latest end of an id is the one that counts"
    );
    worker.shutdown().await.unwrap();
}

/// Enqueues, with SQL, a job whose arguments do not fit its function, and runs it until it ends.
async fn dead_of_decoding(db: &TestDb, args: &str) -> Vec<String> {
    let handle = take_number::handle(JobId::new());
    db.run(&format!("select pgjobq.enqueue('take_number', id => '{}')", handle.id())).await;
    db.run(&format!("update pgjobq.jobs set args = {args} where id = '{}'", handle.id())).await;
    let good = take_number::enqueue(&db.client, 7).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    let end = db.without_backoff(end_of(&db.client, &handle)).await;
    let Outcome::Dead(failure) = end else { panic!("{args} fit") };
    assert_eq!(end_of(&db.client, &good).await, Outcome::Completed(7), "the next job still completes");
    worker.shutdown().await.unwrap();
    assert!(failure.errors.iter().all(|error| error.reason == FailureReason::Decode));
    failure.errors.into_iter().map(|error| error.message).collect()
}

on_one_shard!(arguments_that_do_not_decode_are_tried_three_times);
async fn arguments_that_do_not_decode_are_tried_three_times(db: TestDb) {
    let messages = dead_of_decoding(&db, r#"'{"number": "seven"}'"#).await;
    let message = r#"the arguments do not fit the job function: invalid type: string "seven", expected u8 at line 1 column 18"#;
    assert_eq!(messages, [message; 3]);
    let messages = dead_of_decoding(&db, "'{}'").await;
    let message = "the arguments do not fit the job function: missing field `number` at line 1 column 2";
    assert_eq!(messages, [message; 3]);
    let messages = dead_of_decoding(&db, r#"'{"number": 1e300}'"#).await;
    assert_eq!(messages.len(), 3);
    let messages =
        dead_of_decoding(&db, "('{\"number\":' || repeat('[', 6000) || repeat(']', 6000) || '}')::jsonb")
            .await;
    assert_eq!(messages.len(), 3);
}

on_one_shard!(nul_in_an_error_panic_or_result_is_recorded);
async fn nul_in_an_error_panic_or_result_is_recorded(db: TestDb) {
    let failing = fail_with::enqueue(&db.client, "a\0b".replace('\0', "NUL")).await.unwrap();
    let failing_nul = fail_with_nul::enqueue(&db.client).await.unwrap();
    let panicking = panic_with_nul::enqueue(&db.client).await.unwrap();
    let returning = return_nul::enqueue(&db.client).await.unwrap();
    let good = give_back::enqueue(&db.client, "good".to_owned()).await.unwrap();
    let also = panic_with::enqueue(&db.client, "good".to_owned()).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    for (job, message) in [
        (failing, "aNULb"),
        (failing_nul, "a\u{FFFD}b"),
        (panicking, "it panicked: a\u{FFFD}b"),
        (also, "it panicked: good"),
    ] {
        let Outcome::Dead(failure) = end_of(&db.client, &job).await else { panic!("{message}") };
        assert_eq!(failure.message(), message);
    }
    let Outcome::Dead(failure) = end_of(&db.client, &returning).await else { panic!() };
    assert_eq!(
        failure.message(),
        "its result holds a NUL character (\\u0000), which PostgreSQL cannot store in JSON: remove it, or encode the bytes"
    );
    assert_eq!((failure.attempts, failure.errors[0].reason), (1, FailureReason::Fatal));
    assert_eq!(end_of(&db.client, &good).await, Outcome::Completed("good".to_owned()));
    worker.shutdown().await.unwrap();
}

#[job(retries = 0)]
async fn fail_with_nul() -> Result<()> {
    Err("a\0b".into())
}

#[job(retries = 0)]
async fn panic_with_nul() {
    panic!("a\0b")
}

#[job]
async fn return_nul() -> Result<String> {
    Ok("a\0b".to_owned())
}

#[job(retries = 0)]
async fn return_json(json: String) -> Result<Box<RawValue>> {
    Ok(RawValue::from_string(json)?)
}

#[job]
async fn return_bytes(bytes: usize) -> Result<String> {
    Ok("a".repeat(bytes))
}

on_one_shard!(unstorable_result_is_reported_and_a_large_one_is_kept);
async fn unstorable_result_is_reported_and_a_large_one_is_kept(db: TestDb) {
    let surrogate = return_json::enqueue(&db.client, r#""\ud800""#.to_owned()).await.unwrap();
    let number = return_json::enqueue(&db.client, "1e999999".to_owned()).await.unwrap();
    let large = return_bytes::enqueue(&db.client, 10 << 20).await.unwrap();
    let good = give_back::enqueue(&db.client, "good".to_owned()).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    for (job, why) in [(surrogate, "json"), (number, "overflows")] {
        let ended = job.wait_timeout(&db.client, Duration::from_secs(30)).await.unwrap();
        let Outcome::Dead(failure) = ended else { panic!("{why}") };
        assert!(failure.message().starts_with("its result could not be recorded: "), "{}", failure.message());
        assert!(failure.message().contains(why), "{}", failure.message());
        assert_eq!((failure.attempts, failure.errors[0].reason), (1, FailureReason::Fatal));
    }
    assert_eq!(end_of(&db.client, &large).await, Outcome::Completed("a".repeat(10 << 20)));
    assert_eq!(end_of(&db.client, &good).await, Outcome::Completed("good".to_owned()));
    worker.shutdown().await.unwrap();
}

on_one_shard!(missing_or_live_jobs_are_neither_requeued_nor_cancelled);
async fn missing_or_live_jobs_are_neither_requeued_nor_cancelled(db: TestDb) {
    let unknown = take_number::handle(JobId::new());
    assert_eq!(unknown.requeue(&db.client).await.unwrap(), RequeueOutcome::NothingToRequeue);
    assert_eq!(unknown.cancel(&db.client).await.unwrap(), CancelOutcome::NotLive);
    assert_eq!(unknown.progress(&db.client).await.unwrap(), None);
    let live = take_number::enqueue(&db.client, 7).await.unwrap();
    assert_eq!(live.requeue(&db.client).await.unwrap(), RequeueOutcome::AlreadyLive);
    assert_eq!(live.requeue_as(&db.client, take_number::job(8)).await.unwrap(), RequeueOutcome::AlreadyLive);
    assert_eq!(
        unknown.requeue_as(&db.client, take_number::job(8)).await.unwrap(),
        RequeueOutcome::NothingToRequeue
    );
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &live).await, Outcome::Completed(7), "the live job is unchanged");
    assert_eq!(live.requeue(&db.client).await.unwrap(), RequeueOutcome::NothingToRequeue);
    assert_eq!(live.cancel(&db.client).await.unwrap(), CancelOutcome::NotLive);
    worker.shutdown().await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 0);
    assert_eq!(db.number("select count(*) from pgjobq.cancels").await, 0, "no request to cancel remains");
}
