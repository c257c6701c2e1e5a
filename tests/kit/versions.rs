//! Rows that other versions of the program have stored, as assertions see them.

use std::cell::Cell;

use pgjobq::sqlx;
use pgjobq::testing::{TestQueue, assert_enqueued, assert_not_enqueued, enqueued};

use crate::assertions::{check, message};
use crate::jobs::{Ended, HOUR, charge, note, sign_in};

/// Enqueues as a trigger does.
async fn enqueue(pg: &TestQueue, kind: &str, args: &str, version: i32) {
    let enqueue = "select pgjobq.enqueue($1, $2::jsonb, queue => 'default', version => $3)";
    sqlx::query(enqueue).bind(kind).bind(args).bind(version).execute(pg.pool()).await.unwrap();
}

#[pgjobq::test]
async fn older_arguments_are_lifted_and_compared(pg: TestQueue) -> Ended {
    enqueue(&pg, "charge", r#"{"order": 7}"#, 1).await;
    charge::enqueue(pg.client(), 8).await?;
    assert_enqueued!(pg, charge, order_id == 7, count = 1);
    assert_enqueued!(pg, charge, count = 2);
    check("older_version", &message(async { assert_not_enqueued!(pg, charge, order_id == 7) }).await);
    assert_eq!(pg.drain().await?.completed(), 2);
    Ok(())
}

#[pgjobq::test]
async fn job_under_an_alias_is_the_job(pg: TestQueue) -> Ended {
    enqueue(&pg, "bill", r#"{"order_id": 7}"#, 2).await;
    assert_enqueued!(pg, charge, order_id == 7);
    let failed = message(async { assert_not_enqueued!(pg, charge) }).await;
    assert!(failed.contains("\n  bill(order_id: 7), ready"), "{failed}");
    assert_eq!(pg.drain().await?.completed(), 1);
    let failed = message(async { assert_enqueued!(pg, charge) }).await;
    assert!(failed.ends_with("`charge` that have ended already: 1 completed."), "{failed}");
    Ok(())
}

#[pgjobq::test]
async fn job_that_cannot_be_decoded_is_not_ruled_out(pg: TestQueue) -> Ended {
    enqueue(&pg, "note", r#"{"what": 7}"#, 1).await;
    check("not_decoded", &message(async { assert_not_enqueued!(pg, note, what == "a") }).await);
    note::enqueue(pg.client(), "a".to_owned()).await?;
    assert_enqueued!(pg, note, what == "a");
    assert_not_enqueued!(pg, note, what == "a", queue = "mail");
    let failed = message(async { assert_enqueued!(pg, note, what == "a", count = 1) }).await;
    assert!(failed.contains("1 is enqueued; 1 may be, whose arguments cannot be decoded"), "{failed}");
    Ok(())
}

#[pgjobq::test]
async fn newer_arguments_are_not_read_as_current_ones(pg: TestQueue) -> Ended {
    enqueue(&pg, "charge", r#"{"order_id": 7}"#, 3).await;
    let failed = message(async { assert_enqueued!(pg, charge, order_id == 7) }).await;
    assert!(failed.contains("can decode: it does not read version 3"), "{failed}");
    message(async { assert_not_enqueued!(pg, charge, order_id == 8) }).await;
    Ok(())
}

#[pgjobq::test]
async fn redacted_argument_that_does_not_decode_is_not_shown(pg: TestQueue) -> Ended {
    enqueue(&pg, "sign_in", r#"{"user": "ada", "token": 123456}"#, 1).await;
    let failed = message(async { assert_enqueued!(pg, sign_in, user == "ada") }).await;
    assert!(failed.contains("not arguments that this program can decode"), "{failed}");
    assert!(!failed.contains("123456"), "{failed}");
    Ok(())
}

#[pgjobq::test]
async fn arguments_are_returned_with_their_types(pg: TestQueue) -> Ended {
    enqueue(&pg, "charge", r#"{"order": 7}"#, 1).await;
    enqueue(&pg, "bill", r#"{"order_id": 8}"#, 2).await;
    charge::job(9).delay(HOUR).enqueue(pg.client()).await?;
    let orders: Vec<u32> = enqueued!(pg, charge).into_iter().map(|job| job.order_id).collect();
    assert_eq!(orders, [7, 8, 9]);
    assert!(enqueued!(pg, note).is_empty());
    enqueue(&pg, "charge", "{}", 2).await;
    let failed = message(async { drop(enqueued!(pg, charge)) }).await;
    assert!(failed.contains("cannot decode the arguments of the job "), "{failed}");
    Ok(())
}

#[pgjobq::test]
async fn values_are_evaluated_once_and_may_await(pg: TestQueue) -> Ended {
    let calls = Cell::new(0);
    let next = async || {
        calls.set(calls.get() + 1);
        Ok::<_, pgjobq::Error>(calls.get())
    };
    for order in 1..=3 {
        charge::enqueue(pg.client(), order).await?;
    }
    assert_enqueued!(pg, charge, order_id >= next().await?, order_id <= next().await?, count = 2);
    assert_eq!(calls.get(), 2);
    let expected = String::from("a");
    note::enqueue(pg.client(), expected.clone()).await?;
    assert_enqueued!(
        pg,
        note,
        what == expected,
        what == *expected.as_str(),
        what != format!("{expected}!").as_str()
    );
    assert_eq!(expected, "a", "it is only borrowed");
    Ok(())
}
