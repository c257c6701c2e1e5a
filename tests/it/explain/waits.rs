//! A job that is not due: it waits for parents, for a person, or for its time.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{Cause, ScheduledBy, Workflow};

use super::{explain, explained, first_cause, register, said};
use crate::harness::TestDb;

const HOUR: Duration = Duration::from_secs(3600);

#[job(retries = 0)]
async fn explained_break() -> Result<()> {
    Err("the source is gone".into())
}

#[job(retries = 3, backoff = "1h")]
async fn explained_retry() -> Result<()> {
    Err("the server is away".into())
}

#[job]
async fn explained_snooze() -> Result<()> {
    Err(JobError::snooze(HOUR))
}

on_one_and_eight_shards!(blocked_job_names_its_parents_and_their_states);
async fn blocked_job_names_its_parents_and_their_states(db: TestDb) {
    register(&db, 1, "w", "default", "explained", 9).await;
    let later = explained::job(1).delay(HOUR).enqueue(&db.client).await.unwrap();
    let now = explained::enqueue(&db.client, 2).await.unwrap();
    let child = explained::job(3).after((&later, &now)).enqueue(&db.client).await.unwrap();
    let (codes, sentence) = said(&db, child.id()).await;
    assert_eq!(codes, ["blocked"]);
    assert!(sentence.starts_with("It waits for 2 parents: "), "{sentence}");
    for (parent, state) in [(&later, "scheduled"), (&now, "ready")] {
        assert!(sentence.contains(&format!("job {} (`explained`) is {state}", parent.id())), "{sentence}");
    }
    let Cause::Blocked { workflow: None, parents, count: 2 } = first_cause(&db, child.id()).await else {
        panic!()
    };
    assert_eq!(parents.len(), 2);
}

on_one_shard!(at_most_ten_parents_are_named);
async fn at_most_ten_parents_are_named(db: TestDb) {
    register(&db, 1, "w", "default", "explained", 9).await;
    let mut parents = Vec::new();
    for number in 0..12 {
        parents.push(explained::job(number).delay(HOUR).enqueue(&db.client).await.unwrap());
    }
    let child = explained::job(0).after(&parents).enqueue(&db.client).await.unwrap();
    let (_, sentence) = said(&db, child.id()).await;
    assert!(
        sentence.starts_with("It waits for 12 parents: ") && sentence.ends_with("; and 2 others."),
        "{sentence}"
    );
}

on_one_shard!(ended_parent_that_is_not_settled_is_no_longer_named);
async fn ended_parent_that_is_not_settled_is_no_longer_named(db: TestDb) {
    register(&db, 1, "w", "default", "explained", 9).await;
    let parent = explained::job(1).delay(HOUR).enqueue(&db.client).await.unwrap();
    let child = explained::job(2).after_any_end(&parent).enqueue(&db.client).await.unwrap();
    db.run("select pgjobq.confirm_edges(0::smallint, 100)").await; // As a worker does; none runs here.
    parent.cancel(&db.client).await.unwrap();
    let (codes, sentence) = said(&db, child.id()).await;
    assert_eq!(codes, ["unsettled"]);
    assert_eq!(sentence, "Its parents have ended, and the next look of a worker settles that.");
}

on_one_shard!(parent_behind_ten_thousand_edges_is_counted);
async fn parent_behind_ten_thousand_edges_is_counted(db: TestDb) {
    register(&db, 1, "w", "default", "explained", 9).await;
    let parent = explained::job(1).delay(HOUR).enqueue(&db.client).await.unwrap();
    let child = explained::job(2).after(&parent).enqueue(&db.client).await.unwrap();
    db.run(
        "insert into pgjobq.edges (shard, child_shard, demand, is_confirmed, parent, child, parent_created_at, child_created_at)
         select 0, 0, 'o', true, lpad(n::text, 32, '0')::uuid, gen_random_uuid(), now(), now() from generate_series(1, 10000) n",
    )
    .await;
    let (codes, sentence) = said(&db, child.id()).await;
    assert_eq!(codes, ["blocked"]);
    assert_eq!(sentence, "It waits for 1 parent: too many jobs wait for others to find out for which.");
    let Cause::Blocked { parents, count: 1, .. } = first_cause(&db, child.id()).await else { panic!() };
    assert!(parents.is_empty());
}

on_one_shard!(step_names_its_parents_or_the_other_steps);
async fn step_names_its_parents_or_the_other_steps(db: TestDb) {
    register(&db, 1, "w", "default", "explained", 9).await;
    let mut flow = Workflow::new("nightly");
    let first = flow.add(explained::step(1).named("probe"));
    let second = flow.add(explained::step(2).after(&first));
    let last = flow.on_complete(explained::step(3));
    let run = flow.enqueue(&db.client).await.unwrap();
    let (codes, sentence) = said(&db, second.id()).await;
    assert_eq!(codes, ["blocked"]);
    assert_eq!(sentence, format!("It waits for 1 parent: job {} (`probe`) is ready.", first.id()));
    let (codes, sentence) = said(&db, last.id()).await;
    assert_eq!(codes, ["blocked_by_workflow"]);
    assert_eq!(sentence, "It waits for the other steps of its workflow: 2 have not ended.");
    assert_eq!(first_cause(&db, last.id()).await, Cause::BlockedByWorkflow { workflow: run.id(), live: 2 });
}

on_one_shard!(held_step_names_the_parent_that_failed);
async fn held_step_names_the_parent_that_failed(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let mut flow = Workflow::new("nightly");
    let broken = flow.add(explained_break::step().named("fetch"));
    let held = flow.add(explained::step(1).after(&broken).hold_on_failure());
    let run = flow.enqueue(&db.client).await.unwrap();
    db.until("exists (select from pgjobq.steps where held > 0)").await;
    let explanation = explain(&db, held.id()).await;
    assert_eq!(
        explanation.to_string(),
        format!(
            "It is held until a person decides: job {} (`fetch`) is dead. Retry the workflow, resume the step, or cancel it.",
            broken.id()
        )
    );
    let Cause::Held { workflow, parents } = &explanation.reasons[0].cause else { panic!("{explanation:?}") };
    assert_eq!((*workflow, parents[0].job, &*parents[0].state), (run.id(), broken.id(), "dead"));
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(held_step_names_the_job_outside_that_failed);
async fn held_step_names_the_job_outside_that_failed(db: TestDb) {
    let broken = explained_break::enqueue(&db.client).await.unwrap();
    let mut flow = Workflow::new("held from outside");
    let inner = flow.add(explained_break::step().named("fetch"));
    let held = flow.add(explained::step(1).after(&inner).after(&broken).hold_on_failure());
    flow.enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until("exists (select from pgjobq.steps where held = 2)").await;
    assert!(explain(&db, held.id()).await.to_string().contains("Retry the workflow"));
    // As if a person had resumed the step before the job outside died.
    db.run("update pgjobq.jobs set waits_for = 1 where waits_for = 2; update pgjobq.steps set held = 1 where held = 2").await;
    assert_eq!(
        explain(&db, held.id()).await.to_string(),
        format!(
            "It is held until a person decides: job {} (`explained_break`) is dead. Resume the step, or cancel it.",
            broken.id()
        )
    );
    worker.shutdown().await.unwrap();
}

on_one_shard!(scheduled_job_says_until_when_and_why);
async fn scheduled_job_says_until_when_and_why(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let asked = explained::job(1).delay(HOUR).enqueue(&db.client).await.unwrap();
    let failed = explained_retry::enqueue(&db.client).await.unwrap();
    let snoozed = explained_snooze::enqueue(&db.client).await.unwrap();
    db.until("2 = (select count(*) from pgjobq.jobs where attempt = 1 and run_at is not null)").await;
    let cases = [
        (asked.id(), ScheduledBy::Enqueue, "minutes), as its enqueue asked."),
        (snoozed.id(), ScheduledBy::Snooze, "minutes), as its attempt 1 asked."),
        (
            failed.id(),
            ScheduledBy::Retry,
            "minutes), and is tried again then after failure 1 (`retries` is 3). Attempt 1 failed (error): the server is away.",
        ),
    ];
    for (job, by, end) in cases {
        let explanation = explain(&db, job).await;
        let Cause::Scheduled { why, .. } = &explanation.reasons[0].cause else { panic!("{explanation:?}") };
        assert_eq!(*why, by);
        let sentence = explanation.to_string();
        assert!(sentence.starts_with("It is scheduled until ") && sentence.ends_with(end), "{sentence}");
    }
    worker.shutdown().await.unwrap();
}

on_one_shard!(due_and_expired_jobs_wait_for_a_look_of_workers);
async fn due_and_expired_jobs_wait_for_a_look_of_workers(db: TestDb) {
    register(&db, 1, "w", "default", "explained", 9).await;
    let job = explained::job(1).delay(HOUR).expires_in(2 * HOUR).enqueue(&db.client).await.unwrap();
    db.run("update pgjobq.jobs set run_at = now() - interval '5 minutes'").await;
    let (codes, sentence) = said(&db, job.id()).await;
    assert_eq!(codes, ["due"]);
    assert!(
        sentence.ends_with("(5 minutes ago), and the next look of a worker puts it in line."),
        "{sentence}"
    );
    db.run("update pgjobq.jobs set expires_at = now() - interval '1 minute'").await;
    let (codes, sentence) = said(&db, job.id()).await;
    assert_eq!(codes, ["expired"]);
    assert!(sentence.ends_with("started it in time. A worker records that within moments."), "{sentence}");
}
