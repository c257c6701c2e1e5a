//! A program reads the arguments of all waiting jobs.

use pgjobq::prelude::*;
use pgjobq::{Readability, UnreadableJob, check_waiting};
use serde::{Deserialize, Deserializer};

use super::stored;
use crate::harness::TestDb;
use crate::lifecycle::double;

/// An argument that cannot be read without a panic.
struct Fragile;

impl serde::Serialize for Fragile {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

impl<'de> Deserialize<'de> for Fragile {
    fn deserialize<D: Deserializer<'de>>(_: D) -> std::result::Result<Self, D::Error> {
        panic!("it broke")
    }
}

#[job]
async fn carry(glass: Fragile) {
    let _ = glass;
}

#[job(redact = pin)]
async fn unlock(pin: u32) {
    let _ = pin;
}

on_one_and_eight_shards!(all_waiting_arguments_are_checked);
async fn all_waiting_arguments_are_checked(db: TestDb) {
    db.client.enqueue_all((0..2500).map(double::job)).await.unwrap();
    stored(&db, "price", r#"{"cents": 5}"#, 1).await;
    let mistake = stored(&db, "price", r#"{"amount": "much"}"#, 2).await;
    stored(&db, "price", "{}", 4).await;
    stored(&db, "tax", "{}", 1).await;
    stored(&db, "unheard_of", "{}", 1).await;
    db.run("update pgjobq.jobs set run_at = now() + interval '1 day', ticket = null where kind = 'price'")
        .await;

    let report = check_waiting(&db.client).await.unwrap();
    let of = |name: &str, version| {
        report.kinds.iter().find(|kind| kind.kind == name && kind.version == version).unwrap()
    };
    assert_eq!((of("double", 1).readable, of("double", 1).readability), (2500, Readability::Readable));
    assert_eq!((of("price", 1).readable, of("price", 1).unreadable), (1, 0));
    let reason = "the arguments cannot be lifted from version 2 to 3: `much` has no currency".to_owned();
    assert_eq!(of("price", 2).unreadable, 1);
    let [UnreadableJob { id, reason: said, .. }] = &of("price", 2).examples[..] else { panic!("{report}") };
    assert_eq!((*id, said), (mistake, &reason));
    assert_eq!((of("price", 4).left, of("price", 4).readability), (1, Readability::NewerVersion));
    assert_eq!((of("tax", 1).left, of("tax", 1).readability), (1, Readability::OlderVersion));
    assert_eq!((of("unheard_of", 1).left, of("unheard_of", 1).readability), (1, Readability::UnknownKind));

    let printed = report.to_string();
    for line in [
        "double, version 1: 2500 readable",
        "price, version 1: 1 readable",
        &format!("price, version 2: 0 readable, 1 NOT readable\n    {mistake}: {reason}"),
        "price, version 4: 1 of a newer version, which newer workers take",
        "tax, version 1: 1 NOT readable: their version is no longer in `upcast_from`",
        "unheard_of, version 1: 1 of a kind that this program does not know",
    ] {
        assert!(printed.contains(line), "no {line:?} in:\n{printed}");
    }
    let error = report.into_result().unwrap_err().to_string();
    assert!(error.starts_with("2 waiting jobs would die or be left behind in this version:\n"), "{error}");
}

on_one_shard!(readable_jobs_and_those_of_others_are_no_error);
async fn readable_jobs_and_those_of_others_are_no_error(db: TestDb) {
    let report = check_waiting(&db.client).await.unwrap();
    assert_eq!(report.to_string(), "no job waits");
    report.into_result().unwrap();
    double::enqueue(&db.client, 1).await.unwrap();
    stored(&db, "price", "{}", 4).await;
    stored(&db, "unheard_of", "{}", 1).await;
    check_waiting(&db.client).await.unwrap().into_result().unwrap();
}

on_one_shard!(steps_that_wait_for_outputs_are_incomplete);
async fn steps_that_wait_for_outputs_are_incomplete(db: TestDb) {
    let mut flow = Workflow::new("doubles");
    let first = flow.add(double::step(1));
    flow.add(double::step(first.output()));
    flow.enqueue(&db.client).await.unwrap();
    let report = check_waiting(&db.client).await.unwrap();
    let [kind] = &report.kinds[..] else { panic!("{report}") };
    assert_eq!((kind.readable, kind.incomplete, kind.unreadable), (1, 1, 0));
    report.into_result().unwrap();
}

on_one_shard!(panics_and_secrets_do_not_escape);
async fn panics_and_secrets_do_not_escape(db: TestDb) {
    carry::enqueue(&db.client, Fragile).await.unwrap();
    stored(&db, "unlock", r#"{"pin": "73451"}"#, 1).await;
    let report = check_waiting(&db.client).await.unwrap().to_string();
    assert!(report.contains("reading them panicked"), "{report}");
    assert!(report.contains("at line 1, column"), "{report}");
    assert!(!report.contains("73451"), "{report}");
}

on_one_shard!(large_arguments_of_schedules_are_all_checked);
async fn large_arguments_of_schedules_are_all_checked(db: TestDb) {
    // A page ends after the fifth of them, and within the last one of 50.
    for number in 0..12 {
        db.client
            .schedules()
            .upsert(&format!("s{number}"), double::schedule("@daily", number))
            .await
            .unwrap();
    }
    db.run("update pgjobq.schedules set stored = jsonb_set(stored, '{job,args}', jsonb_build_object('text', repeat('x', 1000000)))")
        .await;
    assert_eq!(check_waiting(&db.client).await.unwrap().to_string().lines().count(), 12);
}

on_one_shard!(arguments_of_schedules_are_checked);
async fn arguments_of_schedules_are_checked(db: TestDb) {
    let schedules = db.client.schedules();
    for number in 0..120 {
        schedules.upsert(&format!("double-{number}"), double::schedule("@daily", number)).await.unwrap();
    }
    for name in ["newer", "older", "prices"] {
        let amount = super::Amount { cents: 5, currency: "EUR".to_owned() };
        schedules.upsert(name, super::price::schedule("@daily", amount)).await.unwrap();
    }
    db.run(
        r#"update pgjobq.schedules set stored = jsonb_set(stored, '{job,args}', '{"amount": 5}') where name = 'prices';
           update pgjobq.schedules set stored = jsonb_set(stored, '{job,version}', '4') where name = 'newer';
           update pgjobq.schedules set stored = jsonb_set(stored #- '{job,version}', '{job,kind}', '"tax"') where name = 'older'"#,
    )
    .await;
    let report = check_waiting(&db.client).await.unwrap();
    assert_eq!(report.kinds.len(), 0);
    let lines = report.to_string();
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(lines.len(), 3, "{report}");
    assert_eq!(
        lines[0],
        "schedule `newer` of `price`, version 4: of a newer version, which newer workers take"
    );
    let older =
        "schedule `older` of `tax`, version 1: NOT readable: their version is no longer in `upcast_from`";
    assert_eq!(lines[1], older);
    let unreadable =
        "schedule `prices` of `price`, version 3: NOT readable: the arguments do not fit the job function: ";
    assert!(lines[2].starts_with(unreadable), "{report}");
    let error = report.into_result().unwrap_err().to_string();
    assert!(error.starts_with("2 schedules would die or be left behind in this version:\n"), "{error}");
}

on_one_shard!(unique_jobs_that_are_not_enqueued_yet_are_checked);
async fn unique_jobs_that_are_not_enqueued_yet_are_checked(db: TestDb) {
    let enqueue = r#"select pgjobq.enqueue('price', '{"amount": "much"}', version => 2, delay => '1 hour', unique_key => 'a',
                                           unique_while => 'waiting', on_duplicate => 'replace_args')"#;
    db.run(enqueue).await;
    db.run(enqueue).await;
    assert_eq!(db.number("select count(*) from pgjobq.unique_requests").await, 1);
    let report = check_waiting(&db.client).await.unwrap();
    let [kind] = &report.kinds[..] else { panic!("{report}") };
    assert_eq!((kind.version, kind.unreadable, kind.examples.len()), (2, 2, 2), "{report}");
}

on_one_shard!(arguments_that_are_too_long_are_counted_apart);
async fn arguments_that_are_too_long_are_counted_apart(db: TestDb) {
    double::enqueue(&db.client, 1).await.unwrap();
    double::enqueue(&db.client, 2).await.unwrap();
    db.run(
        "update pgjobq.jobs set args = args || jsonb_build_object(
             'more', (select jsonb_agg(1e131071::numeric) from generate_series(1, 100)))
          where args = '{\"number\": 2}'",
    )
    .await;
    let report = check_waiting(&db.client).await.unwrap();
    assert_eq!(
        report.to_string(),
        "double, version 1: 1 readable, 1 not checked, because they are longer than 8 MiB"
    );
    report.into_result().unwrap();
}

on_one_shard!(version_that_a_person_wrote_is_reported_as_it_is);
async fn version_that_a_person_wrote_is_reported_as_it_is(db: TestDb) {
    for version in ["70000", "\"two\"", "1"] {
        stored(&db, "price", r#"{"cents": 5}"#, 1).await;
        let meta = format!("jsonb_build_object('version', '{version}'::jsonb)");
        db.run(&format!("update pgjobq.jobs set meta = {meta} where meta is null")).await;
    }
    let report = check_waiting(&db.client).await.unwrap().to_string();
    let none = "price, version 0: 2 NOT readable: somebody has written a `version` into the row that is none";
    assert_eq!(
        report,
        format!("{none}\nprice, version 65535: 1 of a newer version, which newer workers take")
    );
}
