//! Jobs that wait for other jobs: `.after(…)` of plain jobs.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{EnqueueError, JobState, Tx};
use uuid::Uuid;

use crate::gate::Gate;
use crate::harness::TestDb;
use crate::probe::end_of;

mod lost_ends; // Parents whose end was lost.
mod refusals; // Edges that are refused.

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
