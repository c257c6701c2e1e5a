//! The events beside the workflows: people decide about held steps, workers die, and an observer looks at every moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgjobq::Client;
use pgjobq_core::worker_api::{Bounds, Claim, ClaimId, Lane, LeaseId, Shard, Store, Ticket, WorkerId};
use uuid::Uuid;

use crate::harness::TestDb;
use crate::model::Decision;
use crate::run::Run;

/// The runs that a person watches, by the ids of their workflows.
pub(crate) type Runs = Mutex<HashMap<Uuid, Arc<Run>>>;

/// Steps without exactly one row for their job: it lives until the step has ended.
const MISPLACED: &str = "
    (select count(*) from pgjobq.steps s
      where s.outcome is null and not exists (select from pgjobq.jobs j where j.shard = s.shard and j.id = s.job))
  + (select count(*) from pgjobq.jobs j
      where not exists (select from pgjobq.steps s
                         where s.shard = j.shard and s.workflow = (j.meta->>'workflow')::uuid
                           and s.n = (j.meta->>'step')::int and s.job = j.id and s.outcome is null))";

/// Steps that wait for nothing, although a parent lives.
const EARLY: &str = "
    select count(*)
      from pgjobq.steps p, unnest(p.children) u(child), pgjobq.steps c, pgjobq.jobs j
     where p.outcome is null and c.shard = p.shard and c.workflow = p.workflow and c.n = u.child
       and c.outcome is null and j.shard = c.shard and j.id = c.job and j.waits_for = 0";

/// The rows that are left at the end: nothing that lives, no output, and each ended job once.
const LEFT: &str = "
    (select count(*) from pgjobq.jobs) + (select count(*) from pgjobq.unsettled) + (select count(*) from pgjobq.unreleased)
  + (select count(*) from pgjobq.steps where outcome is null or output is not null)
  + (select count(*) from pgjobq.workflows where live <> 0 or roles <> 0 or ended_at is null)
  + abs((select count(*) from pgjobq.finished) - (select count(*) from pgjobq.steps))";

/// Looks at every step in one snapshot after the other, and decides about held steps.
pub(crate) async fn observe(db: &TestDb, runs: &Runs) -> String {
    loop {
        if db.number(MISPLACED).await + db.number(EARLY).await > 0 {
            return "steps are misplaced, or ready before their parents have ended".to_owned();
        }
        decide(db, runs).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) async fn assert_nothing_left(db: &TestDb) {
    assert_eq!(db.number(LEFT).await, 0, "rows are left, or ended jobs are missing");
}

/// Resumes or cancels the steps that are held.
async fn decide(db: &TestDb, runs: &Runs) {
    let held = "select s.workflow, s.n from pgjobq.steps s, pgjobq.jobs j
                 where s.outcome is null and s.held > 0 and j.shard = s.shard and j.id = s.job and j.waits_for = s.held";
    let held: Vec<(Uuid, i32)> = sqlx::query_as(held).fetch_all(&db.pool).await.unwrap();
    for (workflow, n) in held {
        let Some(run) = runs.lock().unwrap().get(&workflow).cloned() else { continue };
        let n = n as usize - 1;
        let resumes = !(run.graph.seed + n as u64).is_multiple_of(3);
        // Before the step can run. A step that lacks an output cannot, and is cancelled then.
        let decision = if resumes { Decision::Resumed } else { Decision::Cancelled };
        run.decisions.lock().unwrap().insert(n, decision);
        if !resumes || run.handle.resume(&db.client, &run.steps[n]).await.is_err() {
            db.client.job(run.steps[n].id()).cancel().await.unwrap();
        }
    }
}

/// A worker that dies with each job that it claims: others find out, and each job gets a crash.
pub(crate) async fn crash(client: &Client, times: usize) {
    let queue = client.save_queue("model").await.unwrap();
    for lease in 0..times {
        let store = Store::connect(client, 3).await.unwrap();
        let worker = WorkerId(1000 + lease as i64);
        store.register(worker, "doomed", Duration::from_secs(30), &[], &[]).await.unwrap();
        let shard = Shard((lease % store.shards().len()) as i16);
        let id = ClaimId { lane: Lane { shard, queue }, worker, lease: LeaseId(1_000_000 + lease as i64) };
        let (scan_hint, bounds) = ([Ticket(0); 4], Bounds::default());
        let claim =
            Claim { id, wait: true, kinds: &["node".to_owned()], want: 3, scan_hint, found: None, bounds };
        store.claim(claim).await.unwrap();
        store.leave(worker).await.unwrap();
        store.reap(&[shard], &[]).await.unwrap();
        store.close().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
