//! Steps of workflows, without a worker: who waits for whom, what a step gets, and how a workflow ends. See `flows.sql`.

use crate::harness::TestDb;

/// A database with a workflow whose steps end by hand.
pub(crate) struct Flow {
    pub(crate) db: TestDb,
}

impl Flow {
    /// Enqueues a workflow. The plan is an array of steps, as `flows.enqueue` reads it.
    pub(crate) async fn new(plan: &str) -> Self {
        let db = TestDb::new(1).await;
        db.run(include_str!("flows.sql")).await;
        db.run("select pgjobq.register_worker(0::smallint, 7, 'by hand'), pgjobq.create_queue('default')")
            .await;
        let flow = Self { db };
        flow.enqueue(plan).await;
        flow
    }

    /// Enqueues the plan, and returns the answer of `enqueue_workflow`.
    pub(crate) async fn enqueue(&self, plan: &str) -> String {
        self.db.text(&format!("select flows.enqueue('{plan}')")).await
    }

    /// Ends the attempts of ready steps in one finish.
    pub(crate) async fn finish(&self, steps: &[i32], decision: &str, output: &str) -> String {
        let finish = format!("select f::text from flows.finish(array{steps:?}, '{decision}', '{output}') f");
        self.db.text(&finish).await
    }

    pub(crate) async fn complete(&self, steps: &[i32]) {
        self.finish(steps, "complete", "1").await;
    }

    pub(crate) async fn bury(&self, steps: &[i32]) {
        self.finish(steps, "bury", "1").await;
    }

    /// Does all that the upkeep of a worker would do, and returns how many transactions did something.
    pub(crate) async fn tend(&self) -> i64 {
        self.db.number("select flows.tend()::bigint").await
    }

    /// Returns the states of all steps, and the outcome of the workflow.
    pub(crate) async fn states(&self) -> String {
        self.db.text("select flows.states()").await
    }

    pub(crate) async fn args(&self, step: i32) -> String {
        self.db.text(&format!("select flows.args({step})::text")).await
    }
}

/// A plan of `width` steps between a first one and a last one, all of which read outputs.
fn diamond(width: i32) -> String {
    let last: Vec<_> = (2..width + 2).map(|step| format!(r#""{step}": "O""#)).collect();
    let outputs: Vec<_> = (2..width + 2).collect();
    let middle = r#"{"after": {"1": "O"}, "inputs": {"first": {"output": 1}}},"#.repeat(width as usize);
    let last = last.join(", ");
    format!(r#"[{{}}, {middle} {{"after": {{{last}}}, "inputs": {{"all": {{"outputs": {outputs:?}}}}}}}]"#)
}

#[tokio::test]
async fn child_waits_for_each_of_its_parents() {
    let flow = Flow::new(r#"[{}, {}, {"after": {"1": "o", "2": "o"}}, {"after": {"3": "o"}}]"#).await;
    assert_eq!(flow.states().await, "ready ready blocked blocked");
    flow.complete(&[1]).await;
    assert_eq!(flow.states().await, "completed ready blocked blocked");
    flow.complete(&[2]).await;
    assert_eq!(flow.states().await, "completed completed ready blocked");
    flow.complete(&[3]).await;
    let finished = flow.finish(&[4], "complete", "1").await;
    assert_eq!(finished, "(,{00000000-0000-7000-8000-000000000000},f)");
    assert_eq!(flow.states().await, "completed completed completed completed: completed");
}

#[tokio::test]
async fn child_of_parents_that_end_together_runs_once() {
    let flow = Flow::new(r#"[{}, {}, {"after": {"1": "o", "2": "o"}}]"#).await;
    assert_eq!(flow.finish(&[1, 2], "complete", "1").await, "({1},,f)");
    assert_eq!(flow.states().await, "completed completed ready");
}

#[tokio::test]
async fn output_becomes_the_argument_of_each_child() {
    let flow = Flow::new(&diamond(3)).await;
    // The job itself is not kept; its output is, until each child has it.
    flow.finish(&[1], "delete", r#"{"width": 320}"#).await;
    assert_eq!(flow.args(2).await, r#"{"first": {"width": 320}}"#);
    let stored = "select count(output) from pgjobq.steps";
    assert_eq!(flow.db.number(stored).await, 0);
    flow.finish(&[2, 3], "delete", "null").await;
    assert_eq!(flow.db.number(stored).await, 2);
    flow.finish(&[4], "complete", r#""last""#).await;
    assert_eq!(flow.args(5).await, r#"{"all": [null, null, "last"]}"#);
    assert_eq!(flow.db.number(stored).await, 0);
}

#[tokio::test]
async fn lists_of_inputs_keep_their_order() {
    let plan = r#"[{}, {}, {"args": {"kept": true}, "after": {"1": "A", "2": "A"},
                    "inputs": {"a": {"list": [{"output": 2}, {"result": 1}, {"list": []}]}, "b": {"results": [2, 1]}}}]"#;
    let flow = Flow::new(plan).await;
    flow.finish(&[2], "complete", "22").await;
    flow.finish(&[1], "complete", "11").await;
    let args = r#"{"a": [22, {"Ok": 11}, []], "b": [{"Ok": 22}, {"Ok": 11}], "kept": true}"#;
    assert_eq!(flow.args(3).await, args);
}

#[tokio::test]
async fn dead_parent_cancels_its_children_level_by_level() {
    let flow = Flow::new(r#"[{"name": "probe"}, {"after": {"1": "o"}}, {"after": {"2": "o"}}, {}]"#).await;
    flow.bury(&[1]).await;
    assert_eq!(flow.states().await, "dead cancelled blocked ready");
    // One transaction for each level, and one for the last steps.
    assert_eq!(flow.tend().await, 2);
    assert_eq!(flow.states().await, "dead cancelled cancelled ready");
    let reasons = "select string_agg(cancelled->>'reason', '; ' order by id) from pgjobq.finished
                    where outcome = 'cancelled'";
    let wanted = "its parent `probe` (00000000-0000-7000-8000-000000010000) is dead: it broke; \
                  its parent `step` (00000000-0000-7000-8000-000000020000) is cancelled: its parent `probe`";
    assert!(flow.db.text(reasons).await.starts_with(wanted), "{}", flow.db.text(reasons).await);
    flow.complete(&[4]).await;
    assert_eq!(flow.states().await, "dead cancelled cancelled completed: failed");
}

#[tokio::test]
async fn child_for_any_end_reads_the_failure() {
    let plan = r#"[{}, {"after": {"1": "a"}}, {"after": {"1": "A"}, "inputs": {"page": {"result": 1}}}]"#;
    let flow = Flow::new(plan).await;
    flow.bury(&[1]).await;
    assert_eq!(flow.states().await, "dead ready ready");
    let failure = "select concat_ws(', ', e->>'outcome', e->>'attempts', e->'errors'->0->>'message')
                     from flows.args(3) a, lateral (select a->'page'->'Err' as e) e";
    assert_eq!(flow.db.text(failure).await, "dead, 1, it broke");
}

#[tokio::test]
async fn held_child_waits_for_a_person() {
    let flow =
        Flow::new(r#"[{}, {}, {"after": {"1": "h", "2": "H"}, "inputs": {"v": {"output": 2}}}]"#).await;
    flow.bury(&[1]).await;
    assert_eq!(flow.states().await, "dead ready blocked");
    flow.finish(&[2], "complete", "7").await;
    assert_eq!(flow.states().await, "dead completed held");
    let state = "select state from pgjobq.job_states where id = flows.id(3)";
    assert_eq!(flow.db.text(state).await, "held");
    let resume = "select (r.resumed, r.queues)::text from pgjobq.resume_step(0::smallint, flows.id(0), 3) r";
    assert_eq!(flow.db.text(resume).await, "(t,{1})");
    assert_eq!(flow.db.text(resume).await, "(f,)");
    assert_eq!(flow.states().await, "dead completed ready");
    assert_eq!(flow.args(3).await, r#"{"v": 7}"#);
}

#[tokio::test]
async fn step_without_its_output_is_not_resumed() {
    let flow = Flow::new(r#"[{}, {"after": {"1": "H"}, "inputs": {"v": {"output": 1}}}]"#).await;
    flow.bury(&[1]).await;
    let resume = sqlx::query("select pgjobq.resume_step(0::smallint, flows.id(0), 2)").execute(&flow.db.pool);
    let error = resume.await.unwrap_err().to_string();
    let wanted = "step 2 cannot run: it needs the output of its parent `step` \
                  (00000000-0000-7000-8000-000000010000), which is dead";
    assert!(error.contains(wanted), "{error}");
    assert_eq!(flow.states().await, "dead held");
}

#[tokio::test]
async fn wide_step_is_settled_in_pieces() {
    let flow = Flow::new(&diamond(2500)).await;
    let finished = flow.finish(&[1], "complete", "7").await;
    assert_eq!(finished, "(,,t)");
    assert_eq!(flow.tend().await, 3);
    assert_eq!(flow.db.number("select count(*) from pgjobq.jobs where ticket is not null").await, 2500);
    let middle: Vec<_> = (2..2502).collect();
    for steps in middle.chunks(500) {
        assert_eq!(flow.tend().await, 0);
        flow.complete(steps).await;
    }
    assert_eq!(flow.db.number("select jsonb_array_length(flows.args(2502)->'all')::bigint").await, 2500);
    assert_eq!(flow.db.number("select count(*) from pgjobq.steps where output is not null").await, 0);
}

#[tokio::test]
async fn large_outputs_are_copied_a_few_at_a_time() {
    let flow = Flow::new(&diamond(20)).await;
    let output = format!("\"{}\"", "x".repeat(1_000_000));
    flow.finish(&[1], "complete", &output).await;
    let ready =
        "select count(*) from pgjobq.jobs where ticket is not null and length(args->>'first') = 1000000";
    assert_eq!(flow.db.number(ready).await, 9);
    assert_eq!(flow.db.number("select readers::bigint from pgjobq.steps where n = 1").await, 11);
    // A step whose arguments are still to come is blocked, and may be cancelled.
    flow.db
        .run("select pgjobq.cancel(flows.id(20)); select pgjobq.act_on_cancels(0::smallint, null, null, 9)")
        .await;
    assert!(flow.states().await.ends_with("blocked cancelled blocked blocked"), "{}", flow.states().await);
    flow.tend().await;
    assert_eq!(flow.db.number(ready).await, 19);
    assert!(flow.states().await.ends_with("ready cancelled ready cancelled"), "{}", flow.states().await);
}

#[tokio::test]
async fn arguments_that_grow_too_large_cancel_the_child() {
    let flow = Flow::new(&diamond(9)).await;
    flow.complete(&[1]).await;
    let output = format!("\"{}\"", "x".repeat(1_000_000));
    flow.finish(&(2..11).collect::<Vec<_>>(), "complete", &output).await;
    let reason = "select cancelled->>'reason' from pgjobq.finished where id = flows.id(11)";
    let wanted = "its arguments, with the outputs of its parents, would be larger than 8 MiB";
    assert_eq!(flow.db.text(reason).await, wanted);
    flow.tend().await;
    assert!(flow.states().await.ends_with("completed cancelled: failed"), "{}", flow.states().await);
}

/// Each way in which a job ends other than by a finish.
#[tokio::test]
async fn child_learns_of_each_end_of_its_parent() {
    for (end, outcome) in [
        (
            "select pgjobq.cancel(flows.id(1)); select pgjobq.act_on_cancels(0::smallint, null, null, 9)",
            "cancelled",
        ),
        ("select pgjobq.purge_queue(0::smallint, 1, 1::smallint, 0, 9, 'no more')", "cancelled"),
        (
            "update pgjobq.jobs set expires_at = now() - interval '1 second' where id = flows.id(1);
             select pgjobq.expire(0::smallint, '-infinity', '00000000-0000-0000-0000-000000000000', 9)",
            "expired",
        ),
        (
            "update pgjobq.jobs set max_crashes = 0;
             insert into pgjobq.leases (shard, queue_id, priority, max_ticket, id, worker, tickets)
             select 0, 1, 1, ticket, 9, 9, int8multirange(int8range(ticket, ticket, '[]')) from pgjobq.jobs
              where id = flows.id(1);
             select pgjobq.reap(0::smallint, '{}')",
            "dead",
        ),
        (
            "insert into pgjobq.leases (shard, queue_id, priority, max_ticket, id, worker, tickets)
             select 0, 1, 1, ticket, 9, 7, int8multirange(int8range(ticket, ticket, '[]')) from pgjobq.jobs
              where id = flows.id(1);
             select pgjobq.complete_in(0::smallint, 7, 1, 1::smallint, ticket, 9, id, ticket, null, '5')
               from pgjobq.jobs where id = flows.id(1)",
            "completed",
        ),
    ] {
        let flow = Flow::new(r#"[{}, {"after": {"1": "A"}, "inputs": {"v": {"result": 1}}}]"#).await;
        flow.db.run(end).await;
        assert_eq!(flow.states().await, format!("{outcome} blocked"), "{end}");
        flow.tend().await;
        assert_eq!(flow.states().await, format!("{outcome} ready"), "{end}");
        let failed =
            flow.db.text("select coalesce(flows.args(2)->'v'->'Err'->>'outcome', 'completed')").await;
        assert_eq!(failed, outcome, "{end}");
    }
}

#[tokio::test]
async fn step_with_a_delay_becomes_due_after_its_parents() {
    let plan = r#"[{}, {"delay": 3600000000, "after": {"1": "o"}}, {"after": {"1": "o"}}]"#;
    let flow = Flow::new(plan).await;
    // 0 tells the worker that a job has a time of its own.
    assert_eq!(flow.finish(&[1], "complete", "1").await, "(\"{0,1}\",,f)");
    assert_eq!(flow.states().await, "completed scheduled ready");
    let begins =
        "select (j.run_at >= s.ended_at + interval '1 hour')::text from pgjobq.jobs j, pgjobq.steps s
                   where j.id = flows.id(2) and s.n = 1";
    assert_eq!(flow.db.text(begins).await, "true", "the delay begins when the step is ready");
}

#[tokio::test]
async fn outputs_of_a_wide_join_are_deleted_in_pieces() {
    let flow = Flow::new("[{}]").await;
    let (kept, waiting) = (
        "select count(*) from pgjobq.steps where output is not null",
        "select count(*) from pgjobq.unreleased",
    );
    flow.db
        .run(
            "insert into pgjobq.steps (shard, workflow, n, job, kind, outcome, output, readers)
             select 0, flows.id(0), n, flows.id(n), 'step', 'completed', '7', 1 from generate_series(2, 12001) n;
             update pgjobq.steps set inputs = jsonb_build_object('all', jsonb_build_object('outputs', array(
                 select generate_series(2, 12001)))) where n = 1;
             select pgjobq.release_outputs(0::smallint, array[flows.id(0)], array[1])",
        )
        .await;
    assert_eq!((flow.db.number(kept).await, flow.db.number(waiting).await), (2000, 1));
    flow.bury(&[1]).await;
    let retry = "select is_busy::text from pgjobq.retry_workflow(0::smallint, flows.id(0))";
    assert_eq!(flow.db.text(retry).await, "true", "a retry counts readers anew, and waits for this");
    assert_eq!(flow.tend().await, 1);
    assert_eq!((flow.db.number(kept).await, flow.db.number(waiting).await), (0, 0));
    assert_eq!(flow.db.text(retry).await, "false");
}

#[tokio::test]
async fn rejected_workflow_leaves_nothing_behind() {
    let flow = Flow::new("[{}]").await;
    assert_eq!(flow.enqueue("[{}]").await, "(f,,,,,)");
    assert_eq!(flow.db.number("select count(*) from pgjobq.jobs").await, 1);
    flow.db
        .run(
            "delete from pgjobq.workflows; delete from pgjobq.steps; update pgjobq.queues set name = 'gone' where id = 1",
        )
        .await;
    assert_eq!(flow.enqueue("[{}]").await, "(t,{default},,,,)");
    assert_eq!(flow.db.number("select count(*) from pgjobq.workflows").await, 0);
    flow.db.run("update pgjobq.queues set name = 'default' where id = 1").await;
    let error = sqlx::query("select flows.enqueue('[{}, {}]')").execute(&flow.db.pool).await.unwrap_err();
    assert!(error.to_string().contains("a step of workflow"), "{error}");
    assert_eq!(flow.db.number("select count(*) from pgjobq.steps").await, 0);
}

#[tokio::test]
async fn lookup_finds_a_workflow() {
    let flow = Flow::new("[{}]").await;
    let look =
        "select concat_ws(' ', live, outcome, attempt) from pgjobq.lookup('{0}', array[flows.id(0)], null)";
    assert_eq!(flow.db.text(look).await, "t 0");
    flow.complete(&[1]).await;
    assert_eq!(flow.db.text(look).await, "f completed 0");
}

#[tokio::test]
async fn notes_by_hand_count_no_step_twice() {
    let flow = Flow::new(r#"[{}, {"after": {"1": "o"}}, {"after": {"1": "o", "2": "o"}}]"#).await;
    flow.complete(&[1]).await;
    for n in [1, 77] {
        let note = "insert into pgjobq.unsettled (shard, workflow, n)";
        flow.db.run(&format!("{note} values (0, flows.id(0), {n})")).await;
    }
    flow.tend().await;
    assert_eq!(flow.states().await, "completed ready blocked");
    assert_eq!(flow.db.number("select count(*) from pgjobq.unsettled").await, 0);
    flow.complete(&[2]).await;
    flow.complete(&[3]).await;
    assert_eq!(flow.states().await, "completed completed completed: completed");
}

#[tokio::test]
async fn senseless_inputs_cancel_their_step_alone() {
    let senseless = [
        r#"{"output": "zz"}"#,
        r#"{"output": 1e30}"#,
        r#"{"output": 1.5}"#,
        r#"{"outputs": 7}"#,
        r#"{"list": 5}"#,
    ];
    let steps: String =
        senseless.iter().map(|x| format!(r#", {{"after": {{"1": "O"}}, "inputs": {{"x": {x}}}}}"#)).collect();
    let flow = Flow::new(&format!(r#"[{{}}{steps}, {{"after": {{"1": "o"}}}}]"#)).await;
    flow.complete(&[1]).await;
    flow.tend().await;
    let cancelled = "cancelled ".repeat(senseless.len());
    assert_eq!(flow.states().await, format!("completed {cancelled}ready"));
    let reason = "select min(cancelled->>'reason') from pgjobq.finished where cancelled is not null";
    let reason = flow.db.text(reason).await;
    assert!(reason.starts_with("what it reads of its parents is no valid description: "), "{reason}");

    let number = "update pgjobq.steps set inputs = '5' where n = 1";
    let refused = sqlx::query(number).execute(&flow.db.pool).await.unwrap_err();
    assert!(refused.to_string().contains("steps_inputs_check"), "{refused}");
}
