//! Attributes and the key of a job: they arrive as they were given, and stay with the job.

use pgjobq::prelude::*;
use pgjobq::sqlx;
use pgjobq::{AttributeValue, EnqueueError, InvalidAttribute, RequeueOutcome, enqueue_all};
use sqlx::AssertSqlSafe;

use crate::harness::TestDb;
use crate::probe::end_of;

#[job(retries = 1, backoff = "1ms")]
async fn attributed(fails: bool) -> Result<()> {
    if fails { Err("as it was told".into()) } else { Ok(()) }
}

/// Adds a step with an attribute to its workflow.
#[job(retries = 0)]
async fn attributed_growth(ctx: JobContext) -> Result<()> {
    ctx.workflow()?.add(attributed::step(false).attribute("grown", 3).key("third"));
    Ok(())
}

#[derive(serde::Serialize, serde::Deserialize)]
enum Region {
    Europe,
    America,
}

impl Region {
    fn code(&self) -> &'static str {
        match self {
            Self::Europe => "eu",
            Self::America => "us",
        }
    }
}

#[job(retries = 0, attributes(tenant, region = region.code(), "is.large" = size > 10, version = 3))]
async fn attributed_by_itself(tenant: u64, region: Region, size: u64) -> Result<u64> {
    let _ = (tenant, region);
    Ok(size)
}

const LIVE: &str = "select string_agg(concat_ws(' ', attributes, key), ', ' order by key) from pgjobq.jobs";
const ENDED: &str =
    "select string_agg(concat_ws(' ', outcome, attributes, key), ', ' order by key) from pgjobq.finished";

on_one_shard!(attributes_and_key_arrive_by_every_way_in);
async fn attributes_and_key_arrive_by_every_way_in(db: TestDb) {
    let job = |way: &str| attributed::job(false).attribute("tenant", 42).attribute("eu", true).key(way);
    job("1 alone").enqueue(&db.client).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    job("2 in a transaction").enqueue(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    // Some without, some with; and more than the fifty from which a batch is inserted in another way.
    let many = (0..60).map(|n| if n == 30 { job("3 large") } else { attributed::job(false) });
    enqueue_all(&db.client, many).await.unwrap();
    enqueue_all(&db.client, [job("4 small"), attributed::job(false)]).await.unwrap();
    tokio::join!(
        async { job("5 coalesced").enqueue(&db.client).await.unwrap() },
        async { job("5 coalesced").enqueue(&db.client).await.unwrap() },
        async { job("5 coalesced").enqueue(&db.client).await.unwrap() },
    );
    let first = attributed::job(false).enqueue(&db.client).await.unwrap();
    job("6 after").after(&first).enqueue(&db.client).await.unwrap();
    let mut flow = Workflow::new("attributed");
    let step = |way: &str| attributed::step(false).attribute("tenant", 42).attribute("eu", true).key(way);
    let root = flow.add(step("7 step"));
    flow.add(step("8 child").after(&root));
    flow.add(attributed::step(false));
    flow.enqueue(&db.client).await.unwrap();
    db.run(
        r#"select pgjobq.enqueue('attributed', attributes => '{"tenant": 42, "eu": true}', key => '9 SQL')"#,
    )
    .await;
    let with = "select string_agg(key, ', ' order by key) from pgjobq.jobs
                 where attributes = '{\"tenant\": 42, \"eu\": true}'";
    assert_eq!(
        db.text(with).await,
        "1 alone, 2 in a transaction, 3 large, 4 small, 5 coalesced, 5 coalesced, 5 coalesced, 6 after, 7 step, 8 child, 9 SQL"
    );
    assert_eq!(
        db.number("select count(*) from pgjobq.jobs where attributes is null and key is null").await,
        62
    );
}

on_one_and_eight_shards!(attributes_and_key_survive_retries_death_and_requeue);
async fn attributes_and_key_survive_retries_death_and_requeue(db: TestDb) {
    let job =
        attributed::job(true).attribute("region", "eu-west").key("k").enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    let ended = db.without_backoff(end_of(&db.client, &job)).await;
    assert!(matches!(ended, Outcome::Dead(failure) if failure.attempts == 2));
    assert_eq!(db.text(ENDED).await, r#"dead {"region": "eu-west"} k"#);
    worker.shutdown().await.unwrap();
    assert_eq!(job.requeue(&db.client).await.unwrap(), RequeueOutcome::Requeued);
    assert_eq!(db.text(LIVE).await, r#"{"region": "eu-west"} k"#);
    db.client.job(job.id()).cancel().await.unwrap();
    let corrected = attributed::job(false).attribute("region", "us-east").attribute("corrected", true);
    assert_eq!(job.requeue_as(&db.client, corrected).await.unwrap(), RequeueOutcome::Requeued);
    assert_eq!(db.text(LIVE).await, r#"{"region": "us-east", "corrected": true}"#);
    let worker = db.worker().build().await.unwrap().start();
    assert!(matches!(end_of(&db.client, &job).await, Outcome::Completed(())));
    assert_eq!(db.text(ENDED).await, r#"completed {"region": "us-east", "corrected": true}"#);
    worker.shutdown().await.unwrap();
}

on_one_shard!(retried_and_grown_steps_have_their_attributes);
async fn retried_and_grown_steps_have_their_attributes(db: TestDb) {
    let mut flow = Workflow::new("attributed");
    let fails = flow.add(attributed::step(true).retries(0).attribute("n", 1).key("first"));
    flow.add(attributed::step(false).after(&fails).attribute("n", 2).key("second"));
    flow.add(attributed_growth::step());
    let run = flow.enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    let _ = run.wait(&db.client).await.unwrap();
    worker.shutdown().await.unwrap();
    assert_eq!(
        db.text(ENDED).await,
        r#"dead {"n": 1} first, cancelled {"n": 2} second, completed {"grown": 3} third, completed"#
    );
    assert_eq!(run.retry_failed(&db.client).await.unwrap(), 2);
    assert_eq!(db.text(LIVE).await, r#"{"n": 1} first, {"n": 2} second"#);
}

on_one_shard!(job_computes_attributes_from_its_arguments);
async fn job_computes_attributes_from_its_arguments(db: TestDb) {
    attributed_by_itself::enqueue(&db.client, u64::MAX, Region::Europe, 11).await.unwrap();
    attributed_by_itself::job(1, Region::America, 2)
        .attribute("version", 4)
        .key("k")
        .enqueue(&db.client)
        .await
        .unwrap();
    let mut flow = Workflow::new("attributed");
    let first = flow.add(attributed_by_itself::step(2, Region::Europe, 3));
    flow.add(
        attributed_by_itself::step(3, Region::Europe, first.output()).attribute("is.large", None::<bool>),
    );
    flow.enqueue(&db.client).await.unwrap();
    let all = "select string_agg(attributes::text, ', ' order by attributes -> 'tenant') from pgjobq.jobs";
    let expected = [
        r#"{"region": "us", "tenant": 1, "version": 4, "is.large": false}"#,
        r#"{"region": "eu", "tenant": 2, "version": 3, "is.large": false}"#,
        r#"{"region": "eu", "tenant": 3, "version": 3, "is.large": null}"#,
        r#"{"region": "eu", "tenant": 18446744073709551615, "version": 3, "is.large": true}"#,
    ];
    assert_eq!(db.text(all).await, expected.join(", "));
}

on_one_shard!(attribute_of_an_unknown_argument_is_refused_by_its_name);
async fn attribute_of_an_unknown_argument_is_refused_by_its_name(db: TestDb) {
    let mut flow = Workflow::new("attributed");
    let first = flow.add(attributed_by_itself::step(2, Region::Europe, 3));
    flow.add(attributed_by_itself::step(3, Region::Europe, first.output()).named("second"));
    let error = flow.enqueue(&db.client).await.unwrap_err().to_string();
    assert!(error.contains("`second`"), "{error}");
    assert!(error.ends_with(
        "the attribute `is.large` is computed from an argument that comes from another step: set it on the step, with \
         `.attribute(\"is.large\", …)`"
    ), "{error}");
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 0);
}

on_one_shard!(hostile_names_and_values_arrive_as_they_were_given);
async fn hostile_names_and_values_arrive_as_they_were_given(db: TestDb) {
    let names = ["'); drop table x", "$.\"a\"", "é.☃", " ", "a\\\"b\n", "null", &"n".repeat(100)];
    let texts = ["", "'); drop table x", "$.\"a\"", "42", "\u{10ffff}", "\\u0000", "null", "%_", "\t\n\r\\"];
    let texts = texts.map(AttributeValue::from);
    let numbers = [i64::MIN, -1, 0, (1 << 53) + 1, (1 << 53) - 1, i64::MAX].map(AttributeValue::from);
    let floats = [f64::MIN, -0.5, 0.1, f64::MIN_POSITIVE, f64::MAX, 5e-324].map(AttributeValue::from);
    let others = [u64::MAX.into(), true.into(), false.into(), None::<f64>.into()];
    for value in texts.into_iter().chain(numbers).chain(floats).chain(others) {
        let job = names.iter().fold(attributed::job(false), |job, name| job.attribute(*name, &value));
        let job = job.enqueue(&db.client).await.unwrap();
        // Equality of `jsonb` is exact.
        let arrived =
            "select array_agg(name order by name) from pgjobq.jobs, jsonb_each(attributes) a(name, value)
                        where id = $1 and value = $2::text::jsonb";
        let json = serde_json::to_string(&value).unwrap();
        let arrived = sqlx::query_scalar(arrived).bind(job.id().as_uuid()).bind(&json);
        let mut arrived: Vec<String> = arrived.fetch_one(&db.pool).await.unwrap();
        arrived.sort();
        let mut expected = names.map(str::to_owned);
        expected.sort();
        assert_eq!(arrived, expected, "{json}");
    }
}

on_one_shard!(bad_attributes_and_keys_are_refused_before_anything_is_stored);
async fn bad_attributes_and_keys_are_refused_before_anything_is_stored(db: TestDb) {
    let refused = async |job: NewJob<()>| job.enqueue(&db.client).await.unwrap_err();
    let job = || attributed::job(false);
    for (job, expected) in [
        (
            job().attribute("price", f64::NAN),
            InvalidAttribute::NotFinite { name: "price".into(), value: 0.0 },
        ),
        (job().attribute("a\0", 1), InvalidAttribute::Name { name: "a\0".into() }),
        (job().attribute("a", "\0"), InvalidAttribute::Nul { name: "a".into() }),
        (job().attribute("a", "x".repeat(8192)), InvalidAttribute::TooLarge { bytes: 0 }),
    ] {
        let error = refused(job).await;
        let EnqueueError::Attribute { kind: "attributed", error } = error else { panic!("{error}") };
        assert_eq!(std::mem::discriminant(&error), std::mem::discriminant(&expected), "{error}");
    }
    for key in ["", "\0", &"k".repeat(201)] {
        let error = refused(job().key(key)).await;
        assert!(error.to_string().contains("write 1 to 200 characters"), "{error}");
    }
    let long_number =
        "the attribute a is a number with more than 309 digits, or more than 400 decimal places";
    for (attributes, key, message) in [
        ("'[1]'", "null", "the attributes of a job must be a JSON object, but these are [1]"),
        ("'null'", "null", "the attributes of a job must be a JSON object, but these are null"),
        (r#"'{"a b": [1]}'"#, "null", r#"the attribute "a b" is not one plain value: [1]"#),
        (r#"'{"a": 1e131071}'"#, "null", long_number),
        (r#"'{"a": -1e400}'"#, "null", long_number),
        (r#"'{"a": 1e-16000}'"#, "null", long_number),
        (r#"'{"": 1}'"#, "null", "the name of an attribute has 1 to 100 characters, not 0: ''"),
        (
            "jsonb_build_object('a', repeat('x', 9000))",
            "null",
            "the attributes of a job are 9017 bytes, more than 8 KiB",
        ),
        ("null", "''", "the key of a job has 1 to 200 characters, not 0"),
        ("null", "repeat('k', 201)", "the key of a job has 1 to 200 characters, not 201"),
    ] {
        let sql = format!("select pgjobq.enqueue('attributed', attributes => {attributes}, key => {key})");
        let error = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&db.pool).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().message(), message);
    }
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 0);
}

on_one_shard!(largest_attributes_that_rust_admits_fit_the_table);
async fn largest_attributes_that_rust_admits_fit_the_table(db: TestDb) {
    let number = AttributeValue::Integer(i128::MIN);
    let many = (100..270).fold(attributed::job(false), |job, n| job.attribute(n.to_string(), &number));
    let long = attributed::job(false).attribute("é".repeat(100), "☃".repeat(2600)).key("𝄞".repeat(200));
    for job in [many, long] {
        job.enqueue(&db.client).await.unwrap();
    }
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 2);
}
