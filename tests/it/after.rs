//! Jobs that wait for other jobs: `.after(…)` of plain jobs.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{Client, EnqueueError, JobState, Tx, Workflow, WorkflowError};
use uuid::Uuid;

use crate::gate::Gate;
use crate::harness::TestDb;
use crate::probe::end_of;

#[job(retries = 0)]
async fn after_end(fails: bool) -> Result<u32> {
    if fails { Err("the disk is full".into()) } else { Ok(7) }
}

#[job(retain = "0s")]
async fn after_unkept() {}

#[job]
async fn after_sum(part: u32) -> Result<u32> {
    Ok(part)
}

#[job]
async fn after_transactional(tx: &mut Tx) -> Result<()> {
    let _ = tx;
    Ok(())
}

/// Returns when no edge is left, and the end of no parent either.
async fn settled(db: &TestDb) {
    db.until("not exists (select from pgjobq.edges) and not exists (select from pgjobq.ended_parents)").await;
}

async fn state(db: &TestDb, job: JobId) -> JobState {
    db.client.job(job).status().await.unwrap().unwrap().state
}

async fn why_cancelled(db: &TestDb, job: JobId) -> String {
    db.text(&format!("select cancelled->>'reason' from pgjobq.finished where id = '{job}'")).await
}

on_one_and_eight_shards!(child_runs_once_all_its_parents_have_completed);
async fn child_runs_once_all_its_parents_have_completed(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let gates = [Gate::new(), Gate::new()];
    let first = gates[0].job().enqueue(&db.client).await.unwrap();
    let second = gates[1].job().enqueue(&db.client).await.unwrap();
    let child = after_end::job(false).after((&first, second.id())).enqueue(&db.client).await.unwrap();
    let grandchild = after_end::job(false).after([&child]).enqueue(&db.client).await.unwrap();
    gates[0].open();
    let _ = end_of(&db.client, &first).await;
    db.until("(select count(*) from pgjobq.edges where is_confirmed) = 2").await;
    assert_eq!(state(&db, child.id()).await, JobState::Blocked);
    gates[1].open();
    assert_eq!(end_of(&db.client, &grandchild).await, Outcome::Completed(7));
    let order = "select string_agg(id::text, ' ' order by finished_at) from pgjobq.finished";
    let ids = [first.id(), second.id(), child.id(), grandchild.id()].map(|id| id.to_string());
    assert_eq!(db.text(order).await, ids.join(" "));
    settled(&db).await;
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(failed_parent_cancels_its_descendants_and_is_named);
async fn failed_parent_cancels_its_descendants_and_is_named(db: TestDb) {
    let gate = Gate::new();
    let held = gate.job().enqueue(&db.client).await.unwrap();
    let parent = after_end::job(true).after(&held).enqueue(&db.client).await.unwrap();
    let child = after_end::job(false).after((&parent, &held)).enqueue(&db.client).await.unwrap();
    let grandchild = after_end::job(false).after(&child).enqueue(&db.client).await.unwrap();
    let any_end = after_end::job(false).after_any_end(&parent).enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    gate.open();
    assert_eq!(end_of(&db.client, &grandchild).await, Outcome::Cancelled);
    assert_eq!(end_of(&db.client, &child).await, Outcome::Cancelled);
    assert_eq!(end_of(&db.client, &any_end).await, Outcome::Completed(7));
    let reason = format!("its parent `after_end` ({}) is dead: the disk is full", parent.id());
    assert_eq!(why_cancelled(&db, child.id()).await, reason);
    let reason = format!("its parent `after_end` ({}) is cancelled: {reason}", child.id());
    assert_eq!(why_cancelled(&db, grandchild.id()).await, reason);
    settled(&db).await;
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(cancelled_parent_cancels_its_children);
async fn cancelled_parent_cancels_its_children(db: TestDb) {
    let parent = after_end::job(false).delay(Duration::from_secs(3600)).enqueue(&db.client).await.unwrap();
    let child = after_end::job(false).after(&parent).enqueue(&db.client).await.unwrap();
    let expiring =
        after_end::job(false).delay(Duration::from_secs(3600)).expires_in(Duration::from_secs(7200));
    let expiring = expiring.enqueue(&db.client).await.unwrap();
    let second = after_end::job(false).after(&expiring).enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    let _ = parent.cancel(&db.client).because("not today").await.unwrap();
    assert_eq!(end_of(&db.client, &child).await, Outcome::Cancelled);
    let reason = format!("its parent `after_end` ({}) is cancelled: not today", parent.id());
    assert_eq!(why_cancelled(&db, child.id()).await, reason);
    db.run("update pgjobq.jobs set expires_at = clock_timestamp() where expires_at is not null").await;
    assert_eq!(end_of(&db.client, &second).await, Outcome::Cancelled);
    let reason = format!("its parent `after_end` ({}) is expired", expiring.id());
    assert_eq!(why_cancelled(&db, second.id()).await, reason);
    settled(&db).await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(unknown_parent_is_refused_and_nothing_is_enqueued);
async fn unknown_parent_is_refused_and_nothing_is_enqueued(db: TestDb) {
    let known = after_end::enqueue(&db.client, false).await.unwrap();
    let nobody = JobId::new();
    let child = || after_end::job(false).after((&known, nobody));
    let is_refused = |error: &EnqueueError| matches!(error, EnqueueError::UnknownParent { kind: "after_end", parent } if *parent == nobody);
    let error = child().enqueue(&db.client).await.unwrap_err();
    assert!(is_refused(&error), "{error}");
    assert!(
        error
            .to_string()
            .starts_with(&format!("the `after_end` job cannot wait for job {nobody}, which does not exist"))
    );
    let all = db.client.enqueue_all([after_end::job(false), child()]).await.unwrap_err();
    assert!(is_refused(&all.error), "{all}");
    // A caller's transaction goes on, and a job of an open transaction of another session is not there yet.
    let (mut tx, mut other) = (db.pool.begin().await.unwrap(), db.pool.begin().await.unwrap());
    let _ = after_end::job(false).id(nobody).enqueue(&mut *other).await.unwrap();
    assert!(is_refused(&child().enqueue(&mut *tx).await.unwrap_err()));
    let own = after_end::job(false).enqueue(&mut *tx).await.unwrap();
    let after_own = after_end::job(false).after(&own).enqueue(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    other.rollback().await.unwrap();
    assert_eq!(state(&db, after_own.id()).await, JobState::Blocked);
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 3);
    let sql =
        format!("select job from pgjobq.enqueue('after_end', '{{}}', after => array['{nobody}'::uuid])");
    let error = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&db.pool).await.unwrap_err();
    assert!(
        error.to_string().contains(&format!("cannot wait for job {nobody}, which does not exist")),
        "{error}"
    );
}

on_one_shard!(parent_of_another_schema_is_refused);
async fn parent_of_another_schema_is_refused(db: TestDb) {
    let other = Client::builder(db.pool.clone()).schema("background").build().unwrap();
    other.migrate().await.unwrap();
    let there = after_end::enqueue(&other, false).await.unwrap();
    let error = after_end::job(false).after(&there).enqueue(&db.client).await.unwrap_err();
    assert!(matches!(&error, EnqueueError::UnknownParent { parent, .. } if *parent == there.id()), "{error}");
    assert!(error.to_string().contains("which does not exist in this schema"), "{error}");
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 0);
    other.close().await;
}

on_one_shard!(parent_of_another_kind_than_its_handle_is_refused);
async fn parent_of_another_kind_than_its_handle_is_refused(db: TestDb) {
    let ended = after_end::enqueue(&db.client, false).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &ended).await, Outcome::Completed(7));
    worker.shutdown().await.unwrap();
    let live = after_end::enqueue(&db.client, false).await.unwrap();
    for parent in [live.id(), ended.id()] {
        let child = || after_unkept::job().after(after_sum::handle(parent));
        let error = child().enqueue(&db.client).await.unwrap_err();
        let both = format!(
            "the `after_unkept` job cannot wait for job {parent} with a handle of the kind `after_sum`, because that job is of the kind `after_end`"
        );
        assert!(error.to_string().starts_with(&both), "{error}");
        let is_refused = |error: &EnqueueError| matches!(error, EnqueueError::ParentOfOtherKind { .. });
        let beside_the_right_one = child().after((after_end::handle(parent), parent));
        assert!(is_refused(&beside_the_right_one.enqueue(&db.client).await.unwrap_err()));
        // A caller's transaction goes on.
        let mut tx = db.pool.begin().await.unwrap();
        let all = pgjobq::enqueue_all(&mut *tx, [after_unkept::job(), child()]).await.unwrap_err();
        assert!(is_refused(&all.error), "{all}");
        let mut flow = Workflow::new("of another kind");
        flow.add(after_sum::step(after_sum::handle(parent).output()));
        let WorkflowError::Step { error, .. } = flow.enqueue(&mut *tx).await.unwrap_err() else { panic!() };
        assert!(is_refused(&error), "{error}");
        tx.commit().await.unwrap();
    }
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 1);
    let right = after_unkept::job().after((after_end::handle(live.id()), live.id()));
    assert_eq!(state(&db, right.enqueue(&db.client).await.unwrap().id()).await, JobState::Blocked);
}

on_one_shard!(cycle_through_ids_is_refused);
async fn cycle_through_ids_is_refused(db: TestDb) {
    let ids = [JobId::new(), JobId::new(), JobId::new()];
    let error = after_end::job(false).id(ids[0]).after(ids[0]).enqueue(&db.client).await.unwrap_err();
    assert!(matches!(error, EnqueueError::WaitsForItself { id, .. } if id == ids[0]), "{error}");
    let sql = format!(
        "select pgjobq.enqueue('after_end', '{{}}', id => '{0}', after => array['{0}'::uuid])",
        ids[0]
    );
    let error = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&db.pool).await.unwrap_err();
    assert!(error.to_string().contains("would wait for itself"), "{error}");
    // Each waits for the next one. Whichever comes first names one that is not there, in one statement, too.
    let ring = || (0..3).map(|n| after_end::job(false).id(ids[n]).after(ids[(n + 1) % 3]));
    for job in ring() {
        let error = job.enqueue(&db.client).await.unwrap_err();
        assert!(matches!(error, EnqueueError::UnknownParent { .. }), "{error}");
    }
    let mut tx = db.pool.begin().await.unwrap();
    let error = pgjobq::enqueue_all(&mut *tx, ring()).await.unwrap_err().error;
    assert!(matches!(error, EnqueueError::UnknownParent { .. }), "{error}");
    tx.commit().await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 0);
    // A job that is live already keeps the edges that it has.
    after_end::job(false).id(ids[2]).enqueue(&db.client).await.unwrap();
    for n in [1, 0] {
        after_end::job(false).id(ids[n]).after(ids[n + 1]).enqueue(&db.client).await.unwrap();
    }
    let again = after_end::job(false).id(ids[2]).after(ids[0]).enqueue(&db.client).await.unwrap();
    assert!(!again.is_new());
    assert_eq!(state(&db, ids[2]).await, JobState::Ready);
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &after_end::handle(ids[0])).await, Outcome::Completed(7));
    worker.shutdown().await.unwrap();
}

on_one_shard!(duplicate_edges_collapse);
async fn duplicate_edges_collapse(db: TestDb) {
    let parent = after_end::enqueue(&db.client, true).await.unwrap();
    let twice = after_end::job(false).after([&parent, &parent]).after_any_end(parent.id());
    let twice = twice.enqueue(&db.client).await.unwrap();
    assert_eq!(db.number("select waits_for from pgjobq.jobs where waits_for > 0").await, 1);
    assert_eq!(db.number("select count(*) from pgjobq.edges").await, 1);
    let worker = db.worker().build().await.unwrap().start();
    // The stricter demand counts.
    assert_eq!(end_of(&db.client, &twice).await, Outcome::Cancelled);
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(ended_parents_are_settled_at_once);
async fn ended_parents_are_settled_at_once(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let kept = after_end::enqueue(&db.client, false).await.unwrap();
    let dead = after_end::enqueue(&db.client, true).await.unwrap();
    let unkept = after_unkept::enqueue(&db.client).await.unwrap();
    let _ = (end_of(&db.client, &kept).await, end_of(&db.client, &dead).await);
    let _ = end_of(&db.client, &unkept).await;
    let child = after_end::job(false).after((&kept, &unkept)).after_any_end(&dead);
    let child = child.enqueue(&db.client).await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.edges").await, 0);
    assert_eq!(end_of(&db.client, &child).await, Outcome::Completed(7));
    let cancelled = after_end::job(false).after(&dead).enqueue(&db.client).await.unwrap();
    assert_eq!(end_of(&db.client, &cancelled).await, Outcome::Cancelled);
    // Nothing is left of a completed job that is not kept, so an id alone cannot name it.
    let error = after_end::job(false).after(unkept.id()).enqueue(&db.client).await.unwrap_err();
    assert!(matches!(error, EnqueueError::UnknownParent { .. }), "{error}");
    settled(&db).await;
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(parent_that_ends_before_the_commit_is_found);
async fn parent_that_ends_before_the_commit_is_found(db: TestDb) {
    let gate = Gate::new();
    let held = gate.job().enqueue(&db.client).await.unwrap();
    let dies = after_end::job(true).after(&held).enqueue(&db.client).await.unwrap();
    let vanishes = after_unkept::job().after(&held).enqueue(&db.client).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let cancelled = after_end::job(false).after(&dies).enqueue(&mut *tx).await.unwrap();
    let runs = after_end::job(false).after((&held, &vanishes)).enqueue(&mut *tx).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    gate.open();
    let _ = end_of(&db.client, &dies).await;
    db.until("not exists (select from pgjobq.jobs)").await;
    tx.commit().await.unwrap();
    assert_eq!(end_of(&db.client, &cancelled).await, Outcome::Cancelled);
    assert_eq!(end_of(&db.client, &runs).await, Outcome::Completed(7));
    settled(&db).await;
    worker.shutdown().await.unwrap();
}

/// The ways in which the record of a bad end is lost.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Loss {
    Requeue,
    Purge,
    Delete,
    Drop,
}

const UNKNOWN_END: &str = "has ended, and nobody knows how: the record was deleted, or the job was requeued";

async fn lose(db: &TestDb, parent: &JobHandle<u32>, loss: Loss) {
    match loss {
        Loss::Requeue => {
            assert!(matches!(parent.requeue(&db.client).await.unwrap(), pgjobq::RequeueOutcome::Requeued))
        }
        Loss::Purge => assert_eq!(db.client.dead_jobs().purge().await.unwrap(), 1),
        Loss::Delete => {
            let all = db.client.jobs(pgjobq::filter::id(parent.id())).delete().await.unwrap();
            assert_eq!(all.changed, 1);
        }
        Loss::Drop => {
            db.run(
                "do $$ begin while pgjobq.drop_partition(now() + interval '100 days') loop end loop; end $$",
            )
            .await;
        }
    }
}

on_one_and_eight_shards!(child_of_a_lost_bad_end_does_not_run);
async fn child_of_a_lost_bad_end_does_not_run(db: TestDb) {
    for loss in [Loss::Requeue, Loss::Purge, Loss::Delete, Loss::Drop] {
        let dies = after_end::enqueue(&db.client, true).await.unwrap();
        let mut tx = db.pool.begin().await.unwrap();
        let child = after_end::job(false).after(&dies).enqueue(&mut *tx).await.unwrap();
        let any_end = after_end::job(false).after_any_end(&dies).enqueue(&mut *tx).await.unwrap();
        let worker = db.worker().build().await.unwrap().start();
        let _ = end_of(&db.client, &dies).await;
        worker.shutdown().await.unwrap();
        // A partition is not dropped while the transaction is open, because it has read `finished`.
        if loss == Loss::Drop {
            tx.commit().await.unwrap();
            lose(&db, &dies, loss).await;
        } else {
            lose(&db, &dies, loss).await;
            tx.commit().await.unwrap();
        }
        let worker = db.worker().build().await.unwrap().start();
        assert_eq!(end_of(&db.client, &child).await, Outcome::Cancelled, "{loss:?}");
        let reason = why_cancelled(&db, child.id()).await;
        assert!(
            reason.contains(UNKNOWN_END) && reason.contains(&dies.id().to_string()),
            "{loss:?}: {reason}"
        );
        assert_eq!(end_of(&db.client, &any_end).await, Outcome::Completed(7), "{loss:?}");
        settled(&db).await;
        worker.shutdown().await.unwrap();
        db.run("delete from pgjobq.finished").await;
    }
}

on_one_and_eight_shards!(end_of_a_second_life_says_nothing_of_the_first);
async fn end_of_a_second_life_says_nothing_of_the_first(db: TestDb) {
    let dies = after_end::enqueue(&db.client, true).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let child = after_end::job(false).after(&dies).enqueue(&mut *tx).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    let _ = end_of(&db.client, &dies).await;
    worker.shutdown().await.unwrap();
    lose(&db, &dies, Loss::Requeue).await;
    tx.commit().await.unwrap();
    // The second life ends before anybody has confirmed the edge to the first one.
    assert_eq!(dies.cancel(&db.client).await.unwrap(), pgjobq::CancelOutcome::Cancelled);
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &child).await, Outcome::Cancelled);
    let reason = why_cancelled(&db, child.id()).await;
    assert!(reason.contains(UNKNOWN_END), "{reason}");
    settled(&db).await;
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(unkept_parent_completes_beside_older_lost_ends);
async fn unkept_parent_completes_beside_older_lost_ends(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    for _ in 0..10 {
        let dies = after_end::enqueue(&db.client, true).await.unwrap();
        let _ = end_of(&db.client, &dies).await;
    }
    db.run("update pgjobq.finished set finished_at = finished_at - interval '1 hour'").await;
    assert_eq!(db.client.dead_jobs().purge().await.unwrap(), 10);
    let notes = "select count(*) from pgjobq.lost_ends";
    assert!(db.number(notes).await > 0);
    db.run("select pgjobq.tidy_hints(s::smallint) from generate_series(0, 7) s").await;
    assert_eq!(db.number(notes).await, db.number("select count(distinct shard) from pgjobq.lost_ends").await);
    let gate = Gate::new();
    let held = gate.job().enqueue(&db.client).await.unwrap();
    let vanishes = after_unkept::job().after(&held).enqueue(&db.client).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let child = after_end::job(false).after(&vanishes).enqueue(&mut *tx).await.unwrap();
    gate.open();
    db.until("not exists (select from pgjobq.jobs)").await;
    tx.commit().await.unwrap();
    assert_eq!(end_of(&db.client, &child).await, Outcome::Completed(7));
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(child_of_a_transactional_job_runs);
async fn child_of_a_transactional_job_runs(db: TestDb) {
    let parent = after_transactional::enqueue(&db.client).await.unwrap();
    let child = after_end::job(false).after(&parent).enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &child).await, Outcome::Completed(7));
    settled(&db).await;
    worker.shutdown().await.unwrap();
}

/// Completes its job in a transaction whose snapshot is older than the edges to its children.
#[job]
async fn after_old_snapshot(ctx: JobContext, gate: String) -> Result<()> {
    let mut tx = ctx.client().pool().begin_with("begin isolation level repeatable read").await?;
    sqlx::query("select count(*) from pgjobq.edges").execute(&mut *tx).await?;
    let gate = Gate::named(gate);
    gate.until(|count| count.open).await;
    ctx.complete_in(&mut tx, &()).await?;
    tx.commit().await?;
    Ok(())
}

on_one_shard!(completion_in_an_old_snapshot_settles_new_edges);
async fn completion_in_an_old_snapshot_settles_new_edges(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let gate = Gate::new();
    let parent = after_old_snapshot::enqueue(&db.client, gate.name.clone()).await.unwrap();
    db.until("exists (select from pg_stat_activity where datname = current_database() and state = 'idle in transaction')").await;
    let child = after_end::job(false).after(&parent).enqueue(&db.client).await.unwrap();
    db.until("(select is_confirmed from pgjobq.edges)").await;
    gate.open();
    assert_eq!(end_of(&db.client, &child).await, Outcome::Completed(7));
    settled(&db).await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(child_waits_for_its_time_after_its_parents);
async fn child_waits_for_its_time_after_its_parents(db: TestDb) {
    let parent = after_end::enqueue(&db.client, false).await.unwrap();
    let later = after_end::job(false).delay(Duration::from_secs(3600)).after(&parent);
    let later = later.enqueue(&db.client).await.unwrap();
    let soon = after_end::job(false).delay(Duration::from_millis(100)).after(&parent);
    let soon = soon.enqueue(&db.client).await.unwrap();
    assert_eq!(state(&db, later.id()).await, JobState::Blocked);
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &soon).await, Outcome::Completed(7));
    settled(&db).await;
    assert_eq!(state(&db, later.id()).await, JobState::Scheduled);
    let begins = "select (j.run_at >= f.finished_at + interval '1 hour')::text
                    from pgjobq.jobs j, pgjobq.finished f where f.id = ";
    let begins = db.text(&format!("{begins} '{}'", parent.id())).await;
    assert_eq!(begins, "true", "the delay begins when the parent has ended");
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(many_children_of_one_parent_run);
async fn many_children_of_one_parent_run(db: TestDb) {
    let parent = after_end::enqueue(&db.client, false).await.unwrap();
    db.client.enqueue_all((0..2500).map(|_| after_end::job(false).after(&parent))).await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.edges").await, 2500);
    let worker = db.worker().build().await.unwrap().start();
    db.until("not exists (select from pgjobq.jobs)").await;
    assert_eq!(db.number("select count(*) from pgjobq.finished where outcome = 'completed'").await, 2501);
    settled(&db).await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(locked_parent_delays_no_edges_but_its_own);
async fn locked_parent_delays_no_edges_but_its_own(db: TestDb) {
    let locked = after_end::job(false).id(Uuid::from_u128(1)).enqueue(&db.client).await.unwrap();
    let other = after_end::job(false).id(Uuid::from_u128(2)).enqueue(&db.client).await.unwrap();
    for parent in [&locked, &other] {
        db.client.enqueue_all((0..20).map(|_| after_end::job(false).after(parent))).await.unwrap();
    }
    let confirm = "select count(*) from generate_series(1, 10) where pgjobq.confirm_edges(0::smallint, 10)";
    let confirmed = "select string_agg(is_confirmed::text, ' ' order by parent)
                       from (select distinct parent, is_confirmed from pgjobq.edges) e";
    let mut tx = db.pool.begin().await.unwrap();
    let delete = format!("delete from pgjobq.jobs where id = '{}'", locked.id());
    sqlx::raw_sql(sqlx::AssertSqlSafe(delete)).execute(&mut *tx).await.unwrap();
    assert_eq!(db.number(confirm).await, 1);
    assert_eq!(db.text(confirmed).await, "false true");
    tx.rollback().await.unwrap();
    assert_eq!(db.number(confirm).await, 1);
    assert_eq!(db.text(confirmed).await, "true true");
}

on_one_shard!(child_of_another_life_is_left_alone);
async fn child_of_another_life_is_left_alone(db: TestDb) {
    let gate = Gate::new();
    let parent = gate.job().enqueue(&db.client).await.unwrap();
    let child =
        after_end::job(false).id(Uuid::from_u128(7)).after(&parent).enqueue(&db.client).await.unwrap();
    let _ = child.cancel(&db.client).await.unwrap();
    // The same id waits again, now for another job as well.
    let other = Gate::new();
    let second = other.job().enqueue(&db.client).await.unwrap();
    let child = after_end::job(false).id(Uuid::from_u128(7)).after((&parent, &second));
    let child = child.enqueue(&db.client).await.unwrap();
    assert!(child.is_new());
    let worker = db.worker().build().await.unwrap().start();
    gate.open();
    let _ = end_of(&db.client, &parent).await;
    db.until("(select count(*) from pgjobq.edges) = 1 and not exists (select from pgjobq.ended_parents)")
        .await;
    assert_eq!(db.number("select waits_for from pgjobq.jobs where kind = 'after_end'").await, 1);
    other.open();
    assert_eq!(end_of(&db.client, &child).await, Outcome::Completed(7));
    worker.shutdown().await.unwrap();
}

on_one_shard!(job_enqueued_with_sql_waits_for_others);
async fn job_enqueued_with_sql_waits_for_others(db: TestDb) {
    let parent = after_end::enqueue(&db.client, false).await.unwrap();
    let sql = format!(
        "select job from pgjobq.enqueue('after_end', '{{\"fails\": false}}', after => array['{}', '{0}']::uuid[])",
        parent.id()
    );
    let child: Uuid = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&db.pool).await.unwrap();
    let later = format!(
        "select job from pgjobq.enqueue('after_end', delay => '1 hour', after => array['{}']::uuid[])",
        child
    );
    let later: Uuid = sqlx::query_scalar(sqlx::AssertSqlSafe(later)).fetch_one(&db.pool).await.unwrap();
    assert_eq!(state(&db, child.into()).await, JobState::Blocked);
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &after_end::handle(JobId::from(child))).await, Outcome::Completed(7));
    settled(&db).await;
    let begins = "select (j.run_at >= f.finished_at + interval '1 hour')::text
                    from pgjobq.jobs j, pgjobq.finished f where f.id =";
    assert_eq!(db.text(&format!("{begins} '{child}' and j.id = '{later}'")).await, "true");
    worker.shutdown().await.unwrap();
}

on_one_shard!(reaped_parent_that_is_dead_cancels_its_child);
async fn reaped_parent_that_is_dead_cancels_its_child(db: TestDb) {
    let parent = after_end::job(false).max_crashes(0).enqueue(&db.client).await.unwrap();
    let child = after_end::job(false).after(&parent).enqueue(&db.client).await.unwrap();
    // A worker that is gone has claimed the parent.
    db.run("select pgjobq.register_worker(0::smallint, 7, 'gone');
            select pgjobq.claim(0::smallint, (select id from pgjobq.queues where name = 'default'), 7, 77, true,
                                array['after_end'], 9, array[0, 0, 0, 0], null, null);
            delete from pgjobq.workers").await;
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &child).await, Outcome::Cancelled);
    worker.shutdown().await.unwrap();
}
