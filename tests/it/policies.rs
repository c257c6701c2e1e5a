//! Limits and unique keys as the code, SQL and operators state them: what is recorded, and what a new job gets of it.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{EnqueueError, LimitError, LimitScope, QueueError, Rate, UniqueWhile};

use crate::harness::TestDb;
use crate::probe::Probe;

/// Two at a time for each tenant.
#[job(kind = "policy_import", key = tenant, concurrency = 2, on_conflict = "drop", on_retry = "hold", rate = "100 per minute", burst = 20, weight = pages, unique = (tenant, file))]
async fn import(tenant: u64, file: String, pages: u32) {
    let _ = (tenant, file, pages);
}

/// Ten at a time in the whole fleet.
#[job(kind = "policy_fleet", aliases = ["policy_fleet_old"], concurrency = 10, unique = args, unique_while = "1h", on_duplicate = "debounce 5s")]
async fn fleet(name: Option<String>, sizes: Vec<f64>) {
    let _ = (name, sizes);
}

#[job(kind = "policy_expression", key = region.to_lowercase(), rate = "1000 per second", weight = 1 + region.len(), unique = format!("r{region}"))]
async fn expression(region: String) {
    let _ = region;
}

#[job(kind = "policy_plain")]
async fn plain(size: u64) -> Result<u64> {
    Ok(size)
}

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

/// The limits of the kinds of this file.
const LIMITS: &str = "select string_agg(concat_ws(' ', name, per_key, concurrency, holds, on_conflict, rates), '; ' order by name)
                        from pgjobq.limits where name like 'policy%'";

on_one_shard!(migrate_records_the_limits_of_the_code);
async fn migrate_records_the_limits_of_the_code(db: TestDb) {
    assert_eq!(
        db.text(LIMITS).await,
        "policy_expression t wait [[1000, 1000000]]; policy_fleet f 10 wait; policy_fleet_old f 10 wait; policy_held t 1 wait; \
         policy_import t 2 t drop [[100, 60000000], [20, 12000000]]; policy_sized t 1 wait"
    );
    let computed = "select computed from pgjobq.kinds where kind = 'policy_fleet'";
    assert_eq!(
        db.text(computed).await,
        r#"{"1": {"unique": ["*"], "options": {"unique": "time", "debounce": 5000000, "duplicate": "debounce", "unique_for": 3600000000}}}"#
    );
    let rows = "select string_agg(xmin::text, ' ' order by name) from pgjobq.limits";
    let before = db.text(rows).await;
    db.client.migrate().await.unwrap();
    assert_eq!(db.text(rows).await, before, "an unchanged start writes nothing");
}

on_one_shard!(limit_that_the_code_lost_is_removed);
async fn limit_that_the_code_lost_is_removed(db: TestDb) {
    db.run(
        "insert into pgjobq.limits (scope, name, concurrency) values ('kind', 'policy_plain', 5), ('kind', 'of_others', 5);
         update pgjobq.limits set concurrency = 7 where name = 'policy_fleet'",
    )
    .await;
    db.client.migrate().await.unwrap();
    let left = "select string_agg(name || ' ' || concurrency, ' ' order by name) from pgjobq.limits
                 where name in ('policy_plain', 'policy_fleet', 'of_others')";
    assert_eq!(db.text(left).await, "of_others 5 policy_fleet 10");

    db.client.kind("policy_plain").change_limits().concurrency(3).await.unwrap();
    db.client.migrate().await.unwrap();
    let kept = db.client.kind("policy_plain").limits().await.unwrap();
    assert_eq!(kept.concurrency.current(), Some(&3), "an operator's setting survives");
}

on_one_shard!(operator_changes_limits_of_kinds_and_queues);
async fn operator_changes_limits_of_kinds_and_queues(db: TestDb) {
    let kind = db.client.kind("policy_import");
    kind.change_limits().concurrency(5).rate("10 per second").by("ada").await.unwrap();
    let limits = kind.limits().await.unwrap();
    assert_eq!((limits.concurrency.by_code, limits.concurrency.current()), (Some(2), Some(&5)));
    assert_eq!(limits.concurrency.by_operator.unwrap().by, "ada");
    let ten = rate("10 per second");
    assert_eq!(limits.rates.current(), Some(&vec![ten]));
    assert_eq!(limits.rates.by_code.unwrap().len(), 2, "the rate and its burst");

    kind.change_limits().reset_concurrency().reset_rate().await.unwrap();
    assert_eq!(kind.limits().await.unwrap().concurrency.by_operator, None);

    db.client.queue("api").concurrency(10).rate("100 per minute").save().await.unwrap();
    db.client.queue("api").change_limits().concurrency(1).await.unwrap();
    db.client.queue("api").concurrency(20).save().await.unwrap();
    let limits = db.client.queue("api").limits().await.unwrap();
    assert_eq!((limits.concurrency.by_code, limits.concurrency.current()), (Some(20), Some(&1)));
    assert_eq!(limits.rates.by_code.unwrap().len(), 1, "what is not named stays");
    db.client.queue("api").change_limits().reset_concurrency().await.unwrap();
    db.client.queue("api").no_rate().save().await.unwrap();
    assert_eq!(db.client.queue("api").limits().await.unwrap().rates.by_code, None);
    db.client.queue("api").no_concurrency().save().await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.limits where scope = 'queue'").await, 0);
}

on_one_shard!(limits_that_two_programs_save_at_once_both_stay);
async fn limits_that_two_programs_save_at_once_both_stay(db: TestDb) {
    let concurrency = "select pgjobq.save_limit('api', '{\"concurrency\": 5}')";
    let rates = "select pgjobq.save_limit('api', '{\"rates\": [[3, 1000000]]}')";
    for (first, second) in [(concurrency, rates), (rates, concurrency)] {
        db.client.queue("api").concurrency(1).rate("9 per second").save().await.unwrap();
        let mut open = db.pool.begin().await.unwrap();
        sqlx::raw_sql(first).execute(&mut *open).await.unwrap();
        let pool = db.pool.clone();
        let other = tokio::spawn(async move { sqlx::raw_sql(second).execute(&pool).await.map(drop) });
        db.until(
            "exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
                                                    and query like '%save_limit%')",
        )
        .await;
        open.commit().await.unwrap();
        other.await.unwrap().unwrap();
        let saved = "(select concat_ws(' ', concurrency, rates) from pgjobq.limits where name = 'api')";
        assert_eq!(db.text(saved).await, "5 [[3, 1000000]]");
    }
}

on_one_shard!(people_change_limits_in_sql);
async fn people_change_limits_in_sql(db: TestDb) {
    db.run("select pgjobq.change_kind_setting('policy_import', 'concurrency', '7', by => 'ada')").await;
    db.run("select pgjobq.change_kind_setting('policy_import', 'rate', '10 per second, 1 per day')").await;
    let limits = db.client.kind("policy_import").limits().await.unwrap();
    let rates = ["10 per second", "1 per day"].map(rate);
    assert_eq!((limits.concurrency.current(), limits.rates.current()), (Some(&7), Some(&rates.to_vec())));
    for (call, error) in [
        ("'policy_import', 'concurrency', '0'", "a concurrency is 1 to 10000, not 0"),
        ("'policy_import', 'concurrency', '1.5'", "a concurrency is 1 to 10000, not 1.5"),
        ("'policy_import', 'rate', '5 per fortnight'", "'5 per fortnight' is no rate"),
        ("'policy_import', 'rate', '5 per minute, 7 per 60s'", "there is a rate for this window already"),
        ("'policy_import', 'rate', '0 per second'", "a rate is 1 to 1000000 jobs"),
        ("'policy_import', 'size', '5'", "a limit has no setting 'size'"),
        ("'policy_nobody', 'concurrency', '5'", "no program has recorded the kind 'policy_nobody'"),
    ] {
        let sql = format!("select pgjobq.change_kind_setting({call})");
        let refused =
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&db.pool).await.unwrap_err().to_string();
        assert!(refused.contains(error), "{call}: {refused}");
    }
}

#[tokio::test]
async fn wrong_limits_are_refused_before_anything_is_sent() {
    let db = TestDb::new(8).await;
    let kind = || db.client.kind("policy_import").change_limits();
    assert!(matches!(kind().await, Err(LimitError::NoChange)));
    assert!(matches!(kind().concurrency(0).await, Err(LimitError::Concurrency(0))));
    assert!(matches!(kind().concurrency(10_001).await, Err(LimitError::Concurrency(10_001))));
    assert!(matches!(kind().rate("5 per fortnight").await, Err(LimitError::Rate(_))));
    let twice = kind().rate("5 per minute").rate("7 per 60s").await.unwrap_err();
    assert_eq!(
        twice.to_string(),
        "`7 per minute`: there is a rate for this window already: keep the lower one"
    );
    let nobody = db.client.kind("policy_nobody").change_limits().concurrency(5).await;
    let nobody = nobody.unwrap_err();
    assert!(matches!(nobody, LimitError::Unknown { scope: LimitScope::Kind, .. }), "{nobody:?}");
    let looked = db.client.kind("policy_nobody").limits().await.unwrap_err();
    assert_eq!(looked.to_string(), nobody.to_string());
    let typo = db.client.queue("defualt").limits().await.unwrap_err().to_string();
    assert!(typo.starts_with("the queue `defualt` does not exist; "), "{typo}");
    assert!(typo.contains("; there are ") && typo.contains("`default`"), "{typo}");
    let sharded = db.client.kind("policy_plain").change_limits().concurrency(5).await;
    assert!(matches!(sharded, Err(LimitError::Shards { .. })), "{sharded:?}");
    db.client.kind("policy_import").change_limits().concurrency(5).await.unwrap();
    let queue = db.client.queue("policy_queue").concurrency(5).save().await.unwrap_err();
    assert!(
        matches!(&queue, QueueError::Fleet { error, .. } if matches!(**error, LimitError::Shards { .. }))
    );
    assert!(queue.to_string().contains("several shards"), "{queue}");
}

on_one_and_eight_shards!(new_jobs_carry_what_their_kind_computes);
async fn new_jobs_carry_what_their_kind_computes(db: TestDb) {
    let stored =
        "select concat_ws(' ', key, weight, unique_key, pgjobq.shard_of(id, 8::smallint)) from pgjobq.jobs";
    let shard = async |kind: &str, key: Option<&str>| {
        let key = key.map_or("null".to_owned(), |key| format!("'{key}'"));
        db.number(&format!("select pgjobq.place_of('{kind}', {key}) % 8")).await
    };
    // The same from Rust and from SQL.
    let from_sql = "select pgjobq.enqueue('policy_import', '{\"tenant\": 7, \"file\": \"a\", \"pages\": 3}')";
    for rust in [true, false] {
        if rust {
            import::enqueue(&db.client, 7, "a".to_owned(), 3).await.unwrap();
        } else {
            db.run(from_sql).await;
        }
        let expected = format!(r#"7 3 ["7", "[7, \"a\"]"] {}"#, shard("policy_import", Some("7")).await);
        assert_eq!(db.text(stored).await, expected);
        db.run("delete from pgjobq.jobs").await;
    }
    for rust in [true, false] {
        // Two names, because a unique key may hold after its job has gone.
        let unique = format!(r#"{{"name": "{rust}", "sizes": [1.5, 10000000000000000]}}"#);
        if rust {
            fleet::enqueue(&db.client, Some(rust.to_string()), vec![1.5, 1e16]).await.unwrap();
        } else {
            db.run(&format!("select pgjobq.enqueue('policy_fleet', '{unique}')")).await;
        }
        assert_eq!(db.text(stored).await, format!("{unique} {}", shard("policy_fleet", None).await));
        db.run("delete from pgjobq.jobs").await;
    }
    expression::enqueue(&db.client, "EU".to_owned()).await.unwrap();
    assert_eq!(
        db.text(stored).await,
        format!(r#"eu 3 ["eu", "rEU"] {}"#, shard("policy_expression", Some("eu")).await)
    );
    db.run("delete from pgjobq.jobs").await;

    let job = plain::job(1).key("a").unique("b").weight(4).on_conflict(OnConflict::Drop);
    let job = job.unique_while(UniqueWhile::For(Duration::from_secs(9))).on_duplicate(OnDuplicate::Replace);
    let id = job.job_id();
    assert_eq!(job.enqueue(&db.client).await.unwrap().id(), id);
    assert_eq!(db.text(stored).await, format!("a 4 b {}", shard("policy_plain", Some("b")).await));
}

on_one_shard!(sql_must_write_what_only_the_code_computes);
async fn sql_must_write_what_only_the_code_computes(db: TestDb) {
    let enqueue = async |more: &str| {
        let sql = format!("select pgjobq.enqueue('policy_expression', '{{\"region\": \"EU\"}}'{more})");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&db.pool).await.map(drop)
    };
    for (more, error) in [
        ("", "computes the key of each job"),
        (", key => 'eu'", "computes the weight of each job"),
        (", key => 'eu', weight => 2", "computes the unique key of each job"),
        (", key => 'eu', weight => 0, unique_key => 'x'", "a weight is 1 to 1000000, not 0"),
        (", key => 'eu', weight => 2, unique_key => ''", "a unique key has at least one character"),
        (", key => 'eu', weight => 2, unique_key => 'x', on_conflict => 'skip'", "there is no answer 'skip'"),
    ] {
        let refused = enqueue(more).await.unwrap_err().to_string();
        assert!(refused.contains(error), "{more}: {refused}");
    }
    enqueue(", key => 'eu', weight => 2, unique_key => 'x', on_conflict => 'drop'").await.unwrap();
    assert_eq!(
        db.number("select count(*) from pgjobq.jobs where unique_key = '[\"eu\", \"x\"]' and weight = 2")
            .await,
        1
    );
}

#[tokio::test]
async fn job_that_would_never_start_is_refused() {
    let db = TestDb::new(1).await;
    let heavy = import::enqueue(&db.client, 7, "a".to_owned(), 21).await.unwrap_err();
    assert!(matches!(heavy, EnqueueError::Weight { weight: 21, allowance: 20, .. }), "{heavy}");
    let empty = plain::job(1).unique("").enqueue(&db.client).await.unwrap_err();
    assert!(matches!(empty, EnqueueError::UniqueKey { .. }), "{empty}");
    let mut flow = Workflow::new("policies");
    let size = flow.add(plain::step(3));
    flow.add(sized::step(size.output()));
    let unknown = flow.enqueue(&db.client).await.unwrap_err().to_string();
    assert!(unknown.contains("the key of the `policy_sized` job is computed from an argument"), "{unknown}");
    let mut flow = Workflow::new("policies");
    let size = flow.add(plain::step(3));
    flow.add(sized::step(size.output()).key("3"));
    flow.enqueue(&db.client).await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 2);
}

/// Its key may come from another step.
#[job(kind = "policy_sized", key = size, concurrency = 1)]
async fn sized(size: u64) {
    let _ = size;
}

#[tokio::test]
async fn id_of_the_callers_own_may_be_misplaced() {
    let db = TestDb::new(8).await;
    let place = db.number("select pgjobq.place_of('policy_sized', '7') % 8").await;
    let id = |shard: u128| JobId::from(sqlx::types::Uuid::from_u128(7 << 76 | 2 << 62 | shard));
    let refused = sized::job(7).id(id((place as u128 + 1) % 8)).enqueue(&db.client).await.unwrap_err();
    assert!(matches!(refused, EnqueueError::Misplaced { .. }), "{refused}");
    sized::job(7).id(id(place as u128)).enqueue(&db.client).await.unwrap();
    let refused = plain::job(7).unique("a").id(id(0)).enqueue(&db.client).await;
    let place = db.number("select pgjobq.place_of('policy_plain', 'a') % 8").await;
    assert_eq!(refused.is_err(), place != 0);
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 1 + i64::from(place == 0));
}

/// Waits until the test lets it end.
#[job(kind = "policy_held", key = key, concurrency = 1)]
async fn held(ctx: JobContext, key: String, probe: u64) {
    let _ = key;
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
}

on_one_shard!(job_has_its_own_answer_to_a_full_key);
async fn job_has_its_own_answer_to_a_full_key(db: TestDb) {
    let probe = Probe::new();
    let job = || held::job("a".to_owned(), probe.number);
    let first = job().enqueue(&db.client).await.unwrap();
    let patient = job().enqueue(&db.client).await.unwrap();
    let dropped = job().on_conflict(OnConflict::Drop).enqueue(&db.client).await.unwrap();
    assert_eq!((dropped.outcome(), dropped.is_new()), (EnqueueOutcome::Dropped, false));
    assert!(matches!(dropped.wait(&db.client).await, Ok(Outcome::Cancelled)));
    let newest = job().on_conflict(OnConflict::CancelWaiting).enqueue(&db.client).await.unwrap();
    assert!(matches!(patient.wait(&db.client).await, Ok(Outcome::Cancelled)));
    let later = job().enqueue(&db.client).await.unwrap();

    let worker = db.worker().build().await.unwrap().start();
    probe.gate.add_permits(3);
    for handle in [first, newest, later] {
        assert!(matches!(handle.wait(&db.client).await, Ok(Outcome::Completed(()))), "{handle:?}");
    }
    worker.shutdown().await.unwrap();
}
