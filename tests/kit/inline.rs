//! Jobs that run as they are enqueued.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use pgjobq::JobState;
use pgjobq::testing::{TestQueue, assert_enqueued};

use crate::jobs::{Ended, HOUR, chain, fail_until, log, meddle, note, note_in_a_task};

#[pgjobq::test]
async fn enqueue_returns_when_the_job_has_run(pg: TestQueue) -> Ended {
    let log = log(&pg);
    pg.inline();
    let handle = note::enqueue(pg.client(), "a".to_owned()).await?;
    assert_eq!(log.take(), ["a"]);
    let status = handle.status(pg.client()).await?.unwrap();
    assert_eq!((status.state, status.attempts), (JobState::Completed, 1));
    assert!(pg.drain().await?.is_empty(), "nothing is left");
    Ok(())
}

#[pgjobq::test]
async fn jobs_of_jobs_run_before_the_enqueue_returns(pg: TestQueue) -> Ended {
    let log = log(&pg);
    pg.inline();
    chain::enqueue(pg.client(), 2).await?;
    assert_eq!(log.take(), ["2 left", "1 left", "0 left"]);
    Ok(())
}

#[pgjobq::test]
async fn scheduled_and_failed_jobs_wait(pg: TestQueue) -> Ended {
    let log = log(&pg);
    pg.inline();
    note::job("later".to_owned()).delay(HOUR).enqueue(pg.client()).await?;
    fail_until::enqueue(pg.client(), 2).await?;
    assert_enqueued!(pg, note, count = 1);
    assert_enqueued!(pg, fail_until, count = 1);
    pg.advance(HOUR).await?;
    assert_eq!(pg.drain().await?.completed(), 2);
    assert_eq!(log.take(), ["later"]);
    Ok(())
}

#[pgjobq::test]
async fn job_of_a_transaction_waits_for_its_commit(pg: TestQueue) -> Ended {
    let log = log(&pg);
    pg.inline();
    let mut tx = pg.pool().begin().await.unwrap();
    note::enqueue(&mut *tx, "in a transaction".to_owned()).await?;
    note::enqueue(pg.client(), "beside it".to_owned()).await?;
    assert_eq!(log.take(), ["beside it"]);
    tx.commit().await.unwrap();
    assert_eq!(pg.drain().await?.completed(), 1);
    assert_eq!(log.take(), ["in a transaction"]);
    Ok(())
}

#[pgjobq::test(worker_threads = 2)]
async fn concurrent_enqueues_each_run(pg: TestQueue) -> Ended {
    let log = log(&pg);
    pg.inline();
    let enqueue = |n: u32| {
        let client = pg.client().clone();
        tokio::spawn(async move { note::enqueue(&client, n.to_string()).await })
    };
    for enqueued in (0..10).map(enqueue).collect::<Vec<_>>() {
        enqueued.await.unwrap()?;
    }
    assert_eq!(log.take().len(), 10);
    Ok(())
}

#[pgjobq::test]
async fn job_may_wait_for_a_task_that_enqueues(pg: TestQueue) -> Ended {
    let log = log(&pg);
    pg.inline();
    pg.time_limit(Duration::from_secs(10));
    note_in_a_task::enqueue(pg.client()).await?;
    assert_eq!(log.take(), ["from a task"]);
    assert!(pg.drain().await?.is_empty(), "nothing is left");
    Ok(())
}

#[pgjobq::test]
async fn job_that_uses_its_tests_queue_fails_at_once(pg: TestQueue) -> Ended {
    let log = log(&pg);
    pg.state(pg.clone());
    pg.time_limit(Duration::from_secs(10));
    meddle::enqueue(pg.client()).await?;
    let drained = pg.drain().await?;
    let expected = "a job function cannot run jobs, let time pass, or assert what is enqueued: ";
    for said in log.take().iter().map(String::as_str).chain(drained.errors()) {
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(drained.dead(), 1, "{drained}");
    Ok(())
}

#[pgjobq::test]
async fn enqueue_of_a_job_that_cannot_run_panics(pg: TestQueue) {
    pg.inline();
    let enqueue = note::enqueue(pg.client(), "a".to_owned());
    let panic = AssertUnwindSafe(enqueue).catch_unwind().await.unwrap_err();
    let message = panic.downcast::<String>().unwrap();
    assert!(message.contains("cannot run inline: jobs are due that cannot run: `note` takes"), "{message}");
}
