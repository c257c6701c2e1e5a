//! Assertions about what is enqueued, and what they print when they fail. `BLESS=1` rewrites the files in `messages`.

use std::panic::AssertUnwindSafe;
use std::time::SystemTime;

use futures_util::FutureExt;
use pgjobq::prelude::*;
use pgjobq::testing::{TestQueue, assert_enqueued, assert_not_enqueued, enqueued};

use crate::jobs::{Ended, HOUR, Plan, count_words, log, note, publish, sign_in, welcome};

/// Enqueues the jobs of a small application.
async fn enqueue_some(pg: &TestQueue) -> Ended {
    let client = pg.client();
    welcome::enqueue(client, "ada".to_owned(), 42, Plan::Pro { seats: 3 }).await?;
    welcome::job("grace".to_owned(), 42, Plan::Free).delay(HOUR).enqueue(client).await?;
    welcome::job("edsger".to_owned(), 7, Plan::Free).key("tenant:7").enqueue(client).await?;
    note::enqueue(client, "a".to_owned()).await?;
    Ok(())
}

/// Returns the message of a panic.
pub(crate) async fn message(assertion: impl Future<Output = ()>) -> String {
    let panic = AssertUnwindSafe(assertion).catch_unwind().await.unwrap_err();
    *panic.downcast::<String>().unwrap()
}

/// Compares a message with a file.
#[track_caller]
pub(crate) fn check(name: &str, message: &str) {
    let path = format!("{}/tests/kit/messages/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, format!("{message}\n")).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(format!("{message}\n"), expected, "{path} is out of date; BLESS=1 rewrites it");
}

#[pgjobq::test]
async fn every_form_of_an_assertion_holds(pg: TestQueue) -> Ended {
    enqueue_some(&pg).await?;
    let (expected, at) = ("ada", SystemTime::now() + HOUR);
    assert_enqueued!(pg, welcome);
    assert_enqueued!(pg, welcome, count = 3);
    assert_enqueued!(pg, welcome, at_least = 2);
    assert_enqueued!(pg, welcome, user == expected, plan: Plan::Pro { seats: 2..=4 }, count = 1);
    assert_enqueued!(pg, crate::jobs::welcome, tenant > 7, tenant <= 42, user != "grace",);
    assert_enqueued!(pg, welcome, delay = HOUR, user == "grace");
    assert_enqueued!(pg, welcome, run_at = at, queue = "mail", priority = Priority::High);
    assert_enqueued!(pg, welcome, attribute("tenant") == 7, key = "tenant:7");
    assert_not_enqueued!(pg, welcome, user == "barbara");
    assert_not_enqueued!(pg, welcome, user == "ada", delay = HOUR);
    assert_not_enqueued!(pg, sign_in);
    Ok(())
}

#[pgjobq::test]
async fn failing_assertion_lists_the_closest_jobs_first(pg: TestQueue) -> Ended {
    enqueue_some(&pg).await?;
    let failed = message(async {
        assert_enqueued!(
            pg,
            welcome,
            user == "grace",
            plan: Plan::Pro { .. },
            attribute("tenant") == 42,
            queue = "mail",
        );
    });
    check("closest_first", &failed.await);
    Ok(())
}

#[pgjobq::test]
async fn wrong_number_of_jobs_is_reported(pg: TestQueue) -> Ended {
    enqueue_some(&pg).await?;
    check("wrong_number", &message(async { assert_enqueued!(pg, welcome, tenant == 42, count = 1) }).await);
    check("too_few", &message(async { assert_enqueued!(pg, welcome, tenant == 42, at_least = 3) }).await);
    check("not_none", &message(async { assert_not_enqueued!(pg, welcome, user == "edsger") }).await);
    Ok(())
}

#[pgjobq::test]
async fn job_that_has_run_already_is_mentioned(pg: TestQueue) -> Ended {
    log(&pg);
    note::enqueue(pg.client(), "a".to_owned()).await?;
    assert_eq!(pg.drain().await?.completed(), 1);
    sign_in::enqueue(pg.client(), "ada".to_owned(), "secret".to_owned()).await?;
    check("ran_already", &message(async { assert_enqueued!(pg, note, what == "a") }).await);
    Ok(())
}

#[pgjobq::test]
async fn redacted_argument_is_compared_and_not_shown(pg: TestQueue) -> Ended {
    sign_in::enqueue(pg.client(), "ada".to_owned(), "secret".to_owned()).await?;
    assert_enqueued!(pg, sign_in, token == "secret");
    let failed = message(async { assert_enqueued!(pg, sign_in, token == "other") }).await;
    assert!(!failed.contains("secret"), "{failed}");
    check("redacted", &failed);
    Ok(())
}

#[pgjobq::test]
async fn arguments_that_do_not_decode_are_reported(pg: TestQueue) -> Ended {
    let enqueued = pgjobq::sqlx::query("select pgjobq.enqueue('note', '{\"what\": 7}', queue => 'default')");
    enqueued.execute(pg.pool()).await.unwrap();
    let failed = message(async { assert_enqueued!(pg, note, what == "a") }).await;
    assert!(failed.contains("not arguments that this program can decode: "), "{failed}");
    Ok(())
}

#[pgjobq::test]
async fn job_of_which_nothing_is_asked_need_not_decode(pg: TestQueue) -> Ended {
    let enqueued = pgjobq::sqlx::query("select pgjobq.enqueue('note', '{\"what\": 7}', queue => 'default')");
    enqueued.execute(pg.pool()).await.unwrap();
    assert_enqueued!(pg, note, count = 1, queue = "default");
    assert_not_enqueued!(pg, note, queue = "mail");
    let failed = message(async { assert_not_enqueued!(pg, note) }).await;
    assert!(failed.starts_with("expected no job `note`, and 1 is enqueued\n"), "{failed}");
    Ok(())
}

#[pgjobq::test]
async fn step_that_waits_for_an_output_is_enqueued(pg: TestQueue) -> Ended {
    let log = log(&pg);
    let mut flow = Workflow::new("article");
    let words = flow.add(count_words::step("a b c"));
    flow.add(publish::step("alphabet", words.output(), None));
    flow.enqueue(pg.client()).await?;
    assert_enqueued!(pg, count_words, text == "a b c");
    assert_enqueued!(pg, publish);
    assert_enqueued!(pg, publish, count = 1, queue = "print");
    assert_not_enqueued!(pg, publish, title == "alphabet", queue = "mail");
    check("incomplete", &message(async { assert_enqueued!(pg, publish, title == "alphabet") }).await);
    check("may_be_meant", &message(async { assert_not_enqueued!(pg, publish, words == 4) }).await);
    let unread = message(async { drop(enqueued!(pg, publish)) }).await;
    assert!(unread.ends_with("are not known yet: it waits for outputs of other steps"), "{unread}");

    assert!(pg.run_one().await?.is_some());
    assert_enqueued!(pg, publish, title == "alphabet", words == 3, count = 1);
    assert_eq!(pg.drain().await?.completed(), 1);
    assert_eq!(log.take(), ["alphabet: 3 words"]);
    Ok(())
}

#[pgjobq::test]
async fn long_lists_and_arguments_are_cut(pg: TestQueue) -> Ended {
    for _ in 0..30 {
        note::enqueue(pg.client(), "x".repeat(1000)).await?;
    }
    let failed = message(async { assert_enqueued!(pg, note, what == "a") }).await;
    assert!(failed.ends_with("\n  and 10 more"), "{failed}");
    assert!(failed.len() < 10_000, "{} bytes", failed.len());
    Ok(())
}
