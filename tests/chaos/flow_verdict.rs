//! The conditions that must hold for workflows when everything is healed and no work is left.

use std::collections::HashMap;

use pgjobq::sqlx;
use uuid::Uuid;

use crate::planners::AwaitedFlow;
use crate::stage::Stage;

/// Statements that must return 0.
const NONE: [(&str, &str); 12] = [
    (
        "workflows that have not ended",
        "select count(*) from pgjobq.workflows where ended_at is null or live <> 0 or roles <> 0",
    ),
    ("steps that have not ended", "select count(*) from pgjobq.steps where outcome is null"),
    (
        "steps with unsettled edges, or that still count as readers",
        "select (select count(*) from pgjobq.unsettled) + (select count(*) from pgjobq.unreleased)",
    ),
    (
        "outputs that no retry needs any more",
        "select count(*) from pgjobq.steps s join pgjobq.workflows w on w.id = s.workflow
          where s.output is not null and w.outcome = 'completed'",
    ),
    (
        "steps without the record of their job, and records without a step",
        "select count(*) from (select * from pgjobq.finished where meta ->> 'workflow' is not null) f
           full join pgjobq.steps s on s.job = f.id and s.workflow::text = f.meta ->> 'workflow' and s.outcome = f.outcome
          where f.id is null or s.job is null",
    ),
    (
        "steps that completed although a parent did not that they demand",
        "select count(*) from pgjobq.steps p, unnest(p.children, string_to_array(p.demands, null)) u(child, demand),
                pgjobq.steps c
          where c.workflow = p.workflow and c.n = u.child and u.demand in ('o', 'O', 'H')
            and p.outcome <> 'completed' and c.outcome = 'completed'",
    ),
    (
        "steps that were cancelled without a cause",
        "select count(*) from pgjobq.steps c join pgjobq.workflows w on w.id = c.workflow
          where c.outcome = 'cancelled' and c.role is null and w.cancelled_at is null
            and not exists (select from pgjobq.steps p, unnest(p.children, string_to_array(p.demands, null)) u(child, demand)
                             where p.workflow = c.workflow and u.child = c.n and lower(u.demand) in ('o', 'h')
                               and p.outcome <> 'completed')",
    ),
    (
        "steps that are dead without a cause, or completed although they fail",
        "select count(*) from pgjobq.finished f
          where f.meta ->> 'workflow' is not null
            and case f.outcome
                  when 'dead' then f.kind not in ('inspect', 'spread') or f.args ->> 'fails' = 'false'
                  when 'completed' then f.args ->> 'fails' = 'true'
                    and not exists (select from repaired r where r.workflow::text = f.meta ->> 'workflow')
                  else f.outcome <> 'cancelled' end",
    ),
    (
        "workflows whose outcome is not that of their steps",
        "select count(*) from pgjobq.workflows w,
                lateral (select count(*) filter (where outcome = 'dead' or outcome = 'cancelled' and role is null) as failed
                           from pgjobq.steps s where s.workflow = w.id) s
          where w.outcome <> case when s.failed = 0 then 'completed' when w.cancelled_at is null then 'failed'
                                  else 'cancelled' end",
    ),
    (
        "steps for the end that did not run as their role says",
        "select count(*) from pgjobq.workflows w join pgjobq.steps r on r.workflow = w.id and r.role is not null
          where w.cancelled_at is null and (r.outcome = 'completed') <> case r.role
                  when 'complete' then w.outcome = 'completed'
                  else w.outcome <> 'completed' end
            and not exists (select from repaired x where x.workflow = w.id and r.role = 'failure')",
    ),
    (
        "growth that is not whole, doubled, or of a step that did not complete",
        "select count(*) from pgjobq.steps s join pgjobq.finished f on f.id = s.job and f.kind = 'spread',
                lateral (select count(*) filter (where g.kind = 'leaf') as leaves,
                                count(*) filter (where g.kind = 'total') - 1 as totals
                           from pgjobq.steps g where g.workflow = s.workflow) g
          where (g.leaves, g.totals) <> case when s.outcome = 'completed' then ((f.args ->> 'leaves')::bigint, 1::bigint)
                                             else (0::bigint, 0::bigint) end",
    ),
    (
        "inputs that no completed step of the workflow returned",
        "select count(*) from inputs i join runs r using (run) join pgjobq.steps c on c.job = r.job
          where not exists (select from pgjobq.steps p join pgjobq.finished f on f.id = p.job
                             where p.workflow = c.workflow and f.outcome = 'completed' and f.output #>> '{}' = i.input::text)",
    ),
];

/// A run of a step that began before a parent had ended.
const EARLY: &str = "select count(*) from pgjobq.steps p, unnest(p.children) u(child), pgjobq.steps c, runs r
      where c.workflow = p.workflow and c.n = u.child and r.job = c.job
        and r.began < (select min(e.at) from ends e where e.job = p.job)";

/// Panics unless all of it holds.
pub(crate) async fn check(stage: &Stage, awaited: &[AwaitedFlow]) {
    for (what, sql) in NONE {
        assert_eq!(stage.number(sql).await, 0, "{what}");
    }
    assert_eq!(stage.number(EARLY).await, 0, "runs of a step that began before its parent had ended");
    let rows =
        "select id, outcome, exists (select from repaired r where r.workflow = id) from pgjobq.workflows";
    let rows: Vec<(Uuid, String, bool)> = sqlx::query_as(rows).fetch_all(&stage.pool).await.unwrap();
    let ended: HashMap<Uuid, (String, bool)> =
        rows.into_iter().map(|(id, outcome, repaired)| (id, (outcome, repaired))).collect();
    let books = stage.account.books();
    for id in &books.flows_acknowledged {
        assert!(ended.contains_key(id), "the acknowledged workflow {id} is lost");
    }
    for id in &books.flows_rolled_back {
        assert!(!ended.contains_key(id), "the workflow {id} was rolled back");
    }
    assert!(ended.keys().all(|id| books.flows.contains_key(id)), "workflows that were never enqueued");
    for (id, outcome) in awaited {
        let outcome = outcome.expect("a wait for a workflow returns how it ended").to_string();
        let (ended, repaired) = &ended[id];
        assert!(outcome == *ended || *repaired, "{id} is {ended}, and its handle returned {outcome}");
    }
}
