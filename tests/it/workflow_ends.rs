//! The end of whole workflows: cancelled, late, with last steps, retried, and deleted.

use crate::steps::Flow;

const RETRY: &str = "select concat_ws(' ', r.retried, r.is_busy, r.queues) from pgjobq.retry_workflow(0::smallint, flows.id(0)) r";

#[tokio::test]
async fn last_steps_wait_for_the_end_of_all_others() {
    let plan = r#"[{}, {}, {"role": "complete"}, {"role": "failure"}]"#;
    let flow = Flow::new(plan).await;
    flow.complete(&[1]).await;
    flow.tend().await;
    assert_eq!(flow.states().await, "completed ready blocked blocked");
    flow.complete(&[2]).await;
    flow.tend().await;
    assert_eq!(flow.states().await, "completed completed ready cancelled");
    flow.complete(&[3]).await;
    assert_eq!(flow.states().await, "completed completed completed cancelled: completed");

    let flow = Flow::new(plan).await;
    flow.bury(&[1]).await;
    flow.complete(&[2]).await;
    flow.tend().await;
    assert_eq!(flow.states().await, "dead completed cancelled ready");
    flow.complete(&[4]).await;
    assert_eq!(flow.states().await, "dead completed cancelled completed: failed");
}

#[tokio::test]
async fn cancelled_workflow_ends_waiting_steps_and_flags_running_ones() {
    let flow = Flow::new(r#"[{}, {}, {"after": {"2": "a"}}, {"role": "failure"}]"#).await;
    flow.db
        .run(
            "insert into pgjobq.leases (shard, queue_id, priority, max_ticket, id, worker, tickets)
             select 0, 1, 1, ticket, 9, 8, int8multirange(int8range(ticket, ticket, '[]')) from pgjobq.jobs
              where id = flows.id(1);
             select pgjobq.cancel_workflow(flows.id(0), 'enough')",
        )
        .await;
    flow.tend().await;
    assert_eq!(flow.states().await, "running cancelled cancelled blocked");
    assert_eq!(flow.db.number("select count(*) from pgjobq.cancels where not is_workflow").await, 1);
    let reason = "select distinct cancelled->>'reason' from pgjobq.finished";
    assert_eq!(flow.db.text(reason).await, "enough");
    flow.db.run("delete from pgjobq.leases").await;
    flow.complete(&[1]).await;
    flow.tend().await;
    assert_eq!(flow.states().await, "completed cancelled cancelled ready");
    flow.complete(&[4]).await;
    assert_eq!(flow.states().await, "completed cancelled cancelled completed: cancelled");
    assert_eq!(flow.db.text("select pgjobq.cancel_workflow(flows.id(0))::text").await, "false");
}

#[tokio::test]
async fn work_due_at_once_does_not_depend_on_the_clock() {
    let at_once = "select (due_at < created_at - interval '1 year')::text from pgjobq.workflows";
    let flow = Flow::new(r#"[{}, {"role": "complete"}]"#).await;
    flow.complete(&[1]).await;
    assert_eq!(flow.db.text(at_once).await, "true", "its last steps");
    flow.tend().await;
    assert_eq!(flow.states().await, "completed ready");
    let flow = Flow::new("[{}]").await;
    flow.db
        .run("select pgjobq.cancel_workflow(flows.id(0)); select pgjobq.tend_workflows(0::smallint)")
        .await;
    assert_eq!(flow.db.text(at_once).await, "true", "its cancellation");
    flow.tend().await;
    assert_eq!(flow.states().await, "cancelled: cancelled");
}

#[tokio::test]
async fn late_workflow_is_cancelled() {
    let flow = Flow::new(r#"[{}, {"after": {"1": "o"}}]"#).await;
    flow.db.run("update pgjobq.workflows set deadline = now(), due_at = now()").await;
    flow.tend().await;
    assert_eq!(flow.states().await, "cancelled cancelled: cancelled");
    let reason = "select distinct cancelled->>'reason' from pgjobq.finished";
    assert_eq!(flow.db.text(reason).await, "the deadline of its workflow is over");
}

#[tokio::test]
async fn cancelled_workflow_is_left_alone_at_its_deadline() {
    let flow = Flow::new(r#"[{}, {"after": {"1": "o"}}]"#).await;
    flow.db
        .run(
            "insert into pgjobq.leases (shard, queue_id, priority, max_ticket, id, worker, tickets)
             select 0, 1, 1, ticket, 9, 8, int8multirange(int8range(ticket, ticket, '[]')) from pgjobq.jobs
              where id = flows.id(1);
             update pgjobq.workflows set deadline = now() + interval '1 hour', due_at = now() + interval '1 hour';
             select pgjobq.cancel_workflow(flows.id(0))",
        )
        .await;
    flow.tend().await;
    assert_eq!(flow.states().await, "running cancelled");
    // Its deadline passes while the first step runs.
    flow.db.run("update pgjobq.workflows set deadline = now() where deadline is not null").await;
    flow.db.run("update pgjobq.workflows set due_at = now() where due_at is not null").await;
    assert_eq!(flow.tend().await, 0);
    flow.db.run("delete from pgjobq.leases").await;
    flow.complete(&[1]).await;
    flow.tend().await;
    assert_eq!(flow.states().await, "completed cancelled: cancelled");
}

#[tokio::test]
async fn retry_runs_failed_steps_and_no_others() {
    let plan = r#"[{}, {"after": {"1": "O"}, "inputs": {"v": {"output": 1}}},
                   {"after": {"1": "O", "2": "O"}, "inputs": {"v": {"outputs": [1, 2]}}}, {"role": "complete"}]"#;
    let flow = Flow::new(plan).await;
    assert_eq!(flow.db.text(RETRY).await, "0 f");
    flow.finish(&[1], "delete", "11").await;
    flow.bury(&[2]).await;
    assert_eq!(flow.db.text(RETRY).await, "t");
    flow.tend().await;
    assert_eq!(flow.states().await, "completed dead cancelled cancelled: failed");
    // Nothing but the steps is left of it.
    flow.db.run("delete from pgjobq.finished").await;
    assert_eq!(flow.db.text(RETRY).await, "3 f {}");
    flow.tend().await;
    assert_eq!(flow.states().await, "completed ready blocked blocked");
    assert_eq!(flow.args(2).await, r#"{"v": 11}"#);
    flow.finish(&[2], "delete", "22").await;
    assert_eq!(flow.args(3).await, r#"{"v": [11, 22]}"#);
    flow.complete(&[3]).await;
    flow.tend().await;
    flow.complete(&[4]).await;
    assert_eq!(flow.states().await, "completed completed completed completed: completed");
    assert_eq!(flow.db.number("select count(output) from pgjobq.steps").await, 0);
}

#[tokio::test]
async fn blocked_child_waits_again_for_a_retried_parent() {
    let plan = r#"[{}, {}, {"after": {"1": "A", "2": "o"}, "inputs": {"v": {"result": 1}}}, {"after": {"1": "h", "2": "o"}}]"#;
    let flow = Flow::new(plan).await;
    flow.bury(&[1]).await;
    let waits = "select string_agg(waits_for::text, ' ' order by id) from pgjobq.jobs";
    assert_eq!(flow.db.text(waits).await, "0 1 2");
    assert_eq!(flow.db.text(RETRY).await, "1 f {1}");
    assert_eq!(flow.db.text(waits).await, "0 0 2 2");
    flow.complete(&[2]).await;
    assert_eq!(flow.states().await, "ready completed blocked blocked");
    flow.complete(&[1]).await;
    assert_eq!(flow.states().await, "completed completed ready ready");
    assert_eq!(flow.args(3).await, r#"{"v": {"Ok": 1}}"#);
}

/// A step of a second workflow that waits for the job 30, and for the first step, which fails.
const OUTSIDE: &str = r#"
    select pgjobq.enqueue('step', id => flows.id(30));
    select flows.enqueue('[{}, {"after": {"1": "o"}, "outside": {"30": "o"},
                                "inputs": {"v": {"output": "00000000-0000-7000-8000-0000001e0000"}}}]', p_base => 40)"#;
const SETTLE_EDGES: &str =
    "select pgjobq.confirm_edges(0::smallint, 100); select pgjobq.settle_edges(0::smallint, 100)";

#[tokio::test]
async fn retried_step_waits_again_for_jobs_outside() {
    for has_ended in [false, true] {
        let flow = Flow::new("[{}]").await;
        flow.db.run(&format!("{OUTSIDE}; {SETTLE_EDGES}")).await;
        flow.bury(&[41]).await;
        flow.tend().await;
        if has_ended {
            flow.finish(&[30], "complete", "5").await;
            flow.db.run(SETTLE_EDGES).await;
        }
        let retry = "select retried from pgjobq.retry_workflow(0::smallint, flows.id(40))";
        assert_eq!(flow.db.number(retry).await, 2);
        flow.complete(&[41]).await;
        flow.tend().await;
        let waits = "select waits_for::bigint from pgjobq.jobs where id = flows.id(42)";
        assert_eq!(flow.db.number(waits).await, i64::from(!has_ended));
        if !has_ended {
            flow.db.run(SETTLE_EDGES).await;
            flow.finish(&[30], "complete", "5").await;
            flow.db.run(SETTLE_EDGES).await;
        }
        flow.tend().await;
        assert_eq!(flow.args(42).await, r#"{"v": 5}"#);
        flow.complete(&[42]).await;
        assert_eq!(
            flow.db.text("select outcome from pgjobq.workflows where id = flows.id(40)").await,
            "completed"
        );
        assert_eq!(flow.db.number("select count(*) from pgjobq.edges").await, 0);
    }
}

#[tokio::test]
async fn retry_frees_no_hold_of_a_parent_outside() {
    let flow = Flow::new("[{}]").await;
    flow.db
        .run(
            r#"select pgjobq.enqueue('step', id => flows.id(30));
               select flows.enqueue('[{}, {"after": {"1": "h"}, "outside": {"30": "h"}}]', p_base => 40)"#,
        )
        .await;
    flow.db.run(SETTLE_EDGES).await;
    flow.bury(&[41]).await;
    flow.db.run("select pgjobq.resume_step(0::smallint, flows.id(40), 2)").await;
    flow.bury(&[30]).await;
    flow.db.run(SETTLE_EDGES).await;
    let waits = "select format('%s of %s', s.held, j.waits_for) from pgjobq.steps s
                   join pgjobq.jobs j on j.id = s.job where s.job = flows.id(42)";
    assert_eq!(flow.db.text(waits).await, "1 of 1");
    flow.db.run("select pgjobq.retry_workflow(0::smallint, flows.id(40))").await;
    assert_eq!(flow.db.text(waits).await, "1 of 2");
    flow.complete(&[41]).await;
    flow.tend().await;
    assert_eq!(flow.db.text(waits).await, "1 of 1", "the job outside still holds it");
    flow.db.run("select pgjobq.resume_step(0::smallint, flows.id(40), 2)").await;
    flow.complete(&[42]).await;
}

#[tokio::test]
async fn retried_step_keeps_its_failures() {
    let flow = Flow::new("[{}]").await;
    flow.bury(&[1]).await;
    flow.db.text(RETRY).await;
    flow.bury(&[1]).await;
    let errors = "select string_agg(e->>'attempt', ' ') from pgjobq.finished, jsonb_array_elements(errors) e";
    assert_eq!(flow.db.text(errors).await, "1 2");
}

#[tokio::test]
async fn requeue_leaves_steps_to_their_workflow() {
    let flow = Flow::new("[{}]").await;
    flow.bury(&[1]).await;
    let requeue = "select (r.requeued is null and r.live is null)::text
                     from pgjobq.requeue_jobs(0::smallint, array[flows.id(1)], null, null, null, null, null) r";
    assert_eq!(flow.db.text(requeue).await, "true");
}

#[tokio::test]
async fn ended_workflow_is_deleted_in_pieces() {
    let plan = format!("[{}]", vec!["{}"; 25].join(", "));
    let flow = Flow::new(&plan).await;
    flow.complete(&(1..26).collect::<Vec<_>>()).await;
    assert_eq!(flow.tend().await, 0);
    let kept = "select (due_at - ended_at)::text from pgjobq.workflows";
    assert_eq!(flow.db.text(kept).await, "1 day");
    flow.db.run("update pgjobq.workflows set due_at = now()").await;
    assert_eq!(flow.db.number("select flows.tend(10)::bigint").await, 3);
    let left = "select count(*) from (select from pgjobq.workflows union all select from pgjobq.steps) t";
    assert_eq!(flow.db.number(left).await, 0);
}
