//! Jobs that run within a drain, as they would with a worker.

use std::task::Poll;
use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::testing::{DrainError, End, TestQueue};
use pgjobq::{JobState, Workflow, sqlx};

use crate::jobs::{
    Document, Ended, Gate, HOUR, Log, call_chain, chain, fail_until, index_many, log, note, note_elsewhere,
    one_at_a_time, wait_at, wait_until_cancelled, write_row,
};

#[pgjobq::test]
async fn nothing_runs_before_a_drain(pg: TestQueue) -> Ended {
    let log = log(&pg);
    let handle = note::enqueue(pg.client(), "a".to_owned()).await?;
    assert_eq!(handle.status(pg.client()).await?.unwrap().state, JobState::Ready);
    assert_eq!(log.take(), [""; 0]);
    let drained = pg.drain().await?;
    assert_eq!((drained.len(), drained.of(note::KIND).completed()), (1, 1), "{drained}");
    assert_eq!(log.take(), ["a"]);
    assert_eq!(handle.wait(pg.client()).await?, Outcome::Completed(()));
    assert!(pg.drain().await?.is_empty());
    Ok(())
}

#[pgjobq::test]
async fn drain_runs_what_jobs_enqueue(pg: TestQueue) -> Ended {
    let log = log(&pg);
    chain::enqueue(pg.client(), 3).await?;
    assert_eq!(pg.drain().await?.completed(), 4);
    assert_eq!(log.take(), ["3 left", "2 left", "1 left", "0 left"]);
    Ok(())
}

#[pgjobq::test]
async fn jobs_run_by_priority_and_then_in_order(pg: TestQueue) -> Ended {
    let log = log(&pg);
    for n in 1..=3 {
        note::enqueue(pg.client(), format!("default {n}")).await?;
        note_elsewhere::enqueue(pg.client(), format!("elsewhere {n}")).await?;
    }
    note::job("urgent".to_owned()).priority(Priority::Critical).enqueue(pg.client()).await?;
    assert_eq!(pg.drain().await?.completed(), 7);
    let expected =
        ["urgent", "default 1", "elsewhere 1", "default 2", "elsewhere 2", "default 3", "elsewhere 3"];
    assert_eq!(log.take(), expected);
    Ok(())
}

#[pgjobq::test]
async fn run_one_leaves_the_others(pg: TestQueue) -> Ended {
    let log = log(&pg);
    for n in 1..=2 {
        note::enqueue(pg.client(), n.to_string()).await?;
    }
    let ran = pg.run_one().await?.unwrap();
    assert_eq!((&*ran.kind, ran.attempt, ran.end, ran.error), (note::KIND, 1, End::Completed, None));
    assert_eq!(log.take(), ["1"]);
    assert_eq!(pg.run_one().await?.unwrap().end, End::Completed);
    assert_eq!(pg.run_one().await?, None);
    Ok(())
}

#[pgjobq::test]
async fn failed_attempts_are_reported_with_their_errors(pg: TestQueue) -> Ended {
    fail_until::enqueue(pg.client(), 3).await?;
    assert_eq!(pg.drain().await?.to_string(), "fail_until retried (attempt 1): attempt 1 of 3");
    assert!(pg.drain().await?.is_empty(), "it waits for its backoff");
    assert!(pg.advance_to_next().await?.unwrap() > Duration::from_secs(60));
    assert_eq!(pg.drain().await?.errors(), ["attempt 2 of 3"]);
    pg.advance_to_next().await?;
    assert_eq!(pg.drain().await?.to_string(), "fail_until completed (attempt 3)");
    assert_eq!(pg.advance_to_next().await?, None);
    Ok(())
}

#[pgjobq::test]
async fn job_that_always_fails_dies_with_its_error(pg: TestQueue) -> Ended {
    fail_until::job(9).retries(0).enqueue(pg.client()).await?;
    let drained = pg.drain().await?;
    assert_eq!((drained.dead(), drained.errors()), (1, vec!["attempt 1 of 9"]));
    Ok(())
}

#[pgjobq::test]
async fn job_without_its_state_is_named(pg: TestQueue) -> Ended {
    note::enqueue(pg.client(), "a".to_owned()).await?;
    let error = pg.drain().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "jobs are due that cannot run: `note` takes `State<kit::jobs::Log>`, which the test gives it with `pg.state(…)`"
    );
    let log = log(&pg);
    assert_eq!(pg.drain().await?.completed(), 1, "the state may come later");
    assert_eq!(log.take(), ["a"]);
    Ok(())
}

#[pgjobq::test]
async fn later_state_replaces_an_earlier_one(pg: TestQueue) -> Ended {
    let (first, second) = (log(&pg), log(&pg));
    note::enqueue(pg.client(), "a".to_owned()).await?;
    assert_eq!(pg.drain().await?.completed(), 1);
    assert_eq!((first.take().len(), second.take().len()), (0, 1));
    Ok(())
}

#[pgjobq::test]
async fn kind_of_another_program_is_named(pg: TestQueue) -> Ended {
    let enqueued = sqlx::query("select pgjobq.enqueue('imported', '{}', queue => 'default')");
    enqueued.execute(pg.pool()).await.unwrap();
    let DrainError::Stuck { jobs, .. } = pg.drain().await.unwrap_err() else { panic!("it is stuck") };
    assert_eq!(jobs[0].to_string(), "this program has no job function of kind `imported`");
    Ok(())
}

#[pgjobq::test]
async fn version_that_the_program_does_not_read_is_named(pg: TestQueue) -> Ended {
    let newer = "select pgjobq.enqueue('charge', '{}', queue => 'default', version => 3)";
    sqlx::query(newer).execute(pg.pool()).await.unwrap();
    let DrainError::Stuck { jobs, .. } = pg.drain().await.unwrap_err() else { panic!("it is stuck") };
    let expected = "the job function of kind `charge` does not read version 3 of its arguments";
    assert_eq!((&*jobs[0].kind, jobs[0].to_string()), ("charge", expected.to_owned()));
    Ok(())
}

#[pgjobq::test]
async fn error_of_a_drain_has_what_ran_before(pg: TestQueue) -> Ended {
    fail_until::enqueue(pg.client(), 1).await?;
    note::enqueue(pg.client(), "a".to_owned()).await?;
    let error = pg.drain().await.unwrap_err();
    assert!(error.to_string().ends_with("\nbefore that:\nfail_until completed (attempt 1)"), "{error}");
    let DrainError::Stuck { drained, .. } = error else { panic!("it is stuck") };
    assert_eq!(drained.completed(), 1);
    Ok(())
}

#[pgjobq::test]
async fn drain_waits_for_the_attempts_of_a_dropped_one(pg: TestQueue) -> Ended {
    let (log, gate) = (log(&pg), pg.state(Gate::default()));
    wait_at::enqueue(pg.client()).await?;
    let begun = async {
        while log.take().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = pg.drain() => panic!("the job waits: {ended:?}"),
        () = begun => {}
    }
    gate.0.notify_one();
    let drained = pg.drain().await?;
    assert_eq!((drained.len(), drained.completed()), (1, 1), "{drained}");
    Ok(())
}

#[pgjobq::test]
async fn waiting_for_another_job_takes_two_at_once(pg: TestQueue) -> Ended {
    let log = log(&pg);
    call_chain::enqueue(pg.client()).await?;
    pg.time_limit(Duration::from_secs(15));
    let error = pg.drain().await.unwrap_err().to_string();
    assert!(error.starts_with("jobs were still due after 15s, and `call_chain` ran: "), "{error}");
    pg.at_once(2);
    pg.time_limit(Duration::from_secs(60));
    let drained = pg.drain().await?;
    assert_eq!(drained.of(call_chain::KIND).completed(), 1, "{drained}");
    assert!(log.take().contains(&"0 left".to_owned()));
    Ok(())
}

#[pgjobq::test]
async fn drain_that_is_dropped_anywhere_loses_no_job(pg: TestQueue) -> Ended {
    let log = log(&pg);
    let mut completed = 0;
    for polls in 0..80 {
        note::enqueue(pg.client(), polls.to_string()).await?;
        if let Some(drained) = polled(polls, pg.drain()).await {
            completed += drained?.completed();
        }
    }
    completed += pg.drain().await?.completed();
    assert_eq!((completed, log.take().len()), (80, 80), "none is lost, and none runs twice");
    Ok(())
}

/// Polls a future at most this many times.
async fn polled<F: Future>(times: usize, future: F) -> Option<F::Output> {
    let (mut future, mut left) = (std::pin::pin!(future), times);
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[pgjobq::test]
async fn transactional_job_commits_its_writes(pg: TestQueue) -> Ended {
    sqlx::query("create table numbers (number int primary key)").execute(pg.pool()).await.unwrap();
    for number in [7, 7] {
        write_row::job(number).retries(0).enqueue(pg.client()).await?;
    }
    let drained = pg.drain().await?;
    assert_eq!((drained.completed(), drained.dead()), (1, 1), "{drained}");
    let rows: i64 = sqlx::query_scalar("select count(*) from numbers").fetch_one(pg.pool()).await.unwrap();
    assert_eq!(rows, 1);
    Ok(())
}

#[pgjobq::test]
async fn workflow_runs_to_its_end(pg: TestQueue) -> Ended {
    let log = log(&pg);
    let mut flow = Workflow::new("notes");
    let first = flow.add(note::step("first".to_owned()));
    let left = flow.add(note::step("left".to_owned()).after(&first));
    let right = flow.add(note::step("right".to_owned()).after(&first));
    flow.add(note::step("last".to_owned()).after(&left).after(&right));
    let handle = flow.enqueue(pg.client()).await?;
    let drained = pg.drain().await?;
    assert_eq!(drained.completed(), 4, "{drained}");
    let noted = log.take();
    assert_eq!((&*noted[0], &*noted[3]), ("first", "last"));
    assert_eq!(handle.wait(pg.client()).await?, WorkflowOutcome::Completed);
    Ok(())
}

#[pgjobq::test]
async fn failed_step_cancels_its_descendants(pg: TestQueue) -> Ended {
    let mut flow = Workflow::new("fails");
    let first = flow.add(fail_until::step(9).retries(0));
    let second = flow.add(fail_until::step(1).after(&first));
    let third = flow.add(fail_until::step(1).after(&second));
    flow.add(fail_until::step(1).after(&third));
    let handle = flow.enqueue(pg.client()).await?;
    let drained = pg.drain().await?;
    assert_eq!((drained.len(), drained.dead()), (1, 1), "{drained}");
    assert_eq!(handle.wait(pg.client()).await?, WorkflowOutcome::Failed, "nothing of it is left");
    Ok(())
}

#[pgjobq::test]
async fn queue_that_is_made_later_is_served(pg: TestQueue) -> Ended {
    let log = log(&pg);
    note::enqueue(pg.client(), "a".to_owned()).await?;
    assert_eq!(pg.drain().await?.completed(), 1);
    pg.client().queue("later").save().await?;
    note::job("b".to_owned()).queue("later").enqueue(pg.client()).await?;
    assert_eq!(pg.drain().await?.completed(), 1);
    assert_eq!(log.take(), ["a", "b"]);
    Ok(())
}

#[pgjobq::test]
async fn paused_queue_runs_nothing(pg: TestQueue) -> Ended {
    let log = log(&pg);
    note::enqueue(pg.client(), "a".to_owned()).await?;
    pg.client().queue("default").pause().await?;
    assert!(pg.drain().await?.is_empty());
    pg.client().queue("default").resume().await?;
    assert_eq!(pg.drain().await?.completed(), 1);
    assert_eq!(log.take(), ["a"]);
    Ok(())
}

#[pgjobq::test]
async fn paused_job_that_could_not_run_is_not_stuck(pg: TestQueue) -> Ended {
    note::enqueue(pg.client(), "a".to_owned()).await?; // Nothing gives it its state.
    note::job("b".to_owned()).key("tenant:7").enqueue(pg.client()).await?;
    pg.client().queue("default").pause().await?;
    assert!(pg.drain().await?.is_empty());
    pg.client().queue("default").resume().await?;
    assert!(matches!(pg.drain().await, Err(DrainError::Stuck { .. })));
    Ok(())
}

#[pgjobq::test]
async fn jobs_that_wait_for_permits_all_run(pg: TestQueue) -> Ended {
    let log = log(&pg);
    for tenant in [1, 2, 1, 2, 1] {
        one_at_a_time::enqueue(pg.client(), tenant).await?;
    }
    pg.at_once(3);
    let drained = pg.drain().await?;
    assert_eq!((drained.len(), drained.completed()), (5, 5), "{drained}");
    let noted = log.take();
    assert_eq!(noted.iter().filter(|tenant| *tenant == "tenant 1").count(), 3);
    Ok(())
}

#[pgjobq::test]
async fn calls_for_several_jobs_take_what_is_there(pg: TestQueue) -> Ended {
    let log = log(&pg);
    for number in 1..=5 {
        index_many::enqueue(pg.client(), Document { number }).await?;
    }
    note::enqueue(pg.client(), "beside".to_owned()).await?;
    let drained = pg.drain().await?;
    assert_eq!((drained.len(), drained.completed()), (6, 6), "{drained}");
    let mut noted = log.take();
    noted.sort();
    assert_eq!(noted, ["[1, 2, 3]", "[4, 5]", "beside"], "none has waited for an hour");
    index_many::enqueue(pg.client(), Document { number: 6 }).await?;
    assert_eq!(pg.run_one().await?.unwrap().end, End::Completed);
    Ok(())
}

#[pgjobq::test]
async fn expired_job_ends_without_an_attempt(pg: TestQueue) -> Ended {
    note::job("late".to_owned()).expires_in(HOUR).enqueue(pg.client()).await?;
    pg.advance(HOUR).await?;
    let drained = pg.drain().await?;
    assert_eq!((drained.len(), drained.count(End::Expired)), (1, 1), "{drained}");
    assert_eq!((drained.ends()[0].is_attempt, drained.attempts().count()), (false, 0), "{drained}");
    note::job("late".to_owned()).expires_in(HOUR).enqueue(pg.client()).await?;
    pg.advance(HOUR).await?;
    assert_eq!(pg.run_one().await?, None, "no attempt has ended");
    Ok(())
}

#[pgjobq::test]
async fn running_job_hears_of_its_cancellation(pg: TestQueue) -> Ended {
    let log = log(&pg);
    let handle = wait_until_cancelled::enqueue(pg.client()).await?;
    let cancel = async {
        while log.take().is_empty() {
            tokio::task::yield_now().await;
        }
        handle.cancel(pg.client()).await.map(drop)
    };
    let (drained, cancelled) = tokio::join!(pg.drain(), cancel);
    cancelled?;
    let drained = drained?;
    assert_eq!((drained.len(), &*drained.ends()[0].kind), (1, wait_until_cancelled::KIND), "{drained}");
    assert!(handle.status(pg.client()).await?.unwrap().state != JobState::Running);
    Ok(())
}

#[pgjobq::test(worker_threads = 2)]
async fn drains_of_two_tasks_run_each_job_once(pg: TestQueue) -> Ended {
    let log: State<Log> = log(&pg);
    for n in 0..20 {
        note::enqueue(pg.client(), n.to_string()).await?;
    }
    let other = pg.clone();
    let other = tokio::spawn(async move { other.drain().await });
    let (one, other) = (pg.drain().await?, other.await.unwrap()?);
    assert_eq!(one.len() + other.len(), 20);
    assert_eq!(log.take().len(), 20);
    Ok(())
}
