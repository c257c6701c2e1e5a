//! The cost of a claim beside many waiting jobs, many leases, and many jobs that are not for this worker.

use crate::calls::{End, TOP};
use crate::limits::at_most;
use crate::server::Db;
use crate::session::Session;
use crate::tables::{KIND, QUIET};

/// The limit of rows that a claim passes and that are not for it. More would hold the lane for long.
const WALK: f64 = 5000.0;

/// A kind that the worker does not know.
const STRANGE: &str = "known_to_nobody";

/// The buffers of a claim of ten jobs, the dearest of several.
async fn claim_buffers(session: &mut Session, scan_hint: i64) -> f64 {
    let _quiet = QUIET.read().await;
    let mut dearest = 0.0_f64;
    for round in 0..8 {
        let (cost, lease) = session.claim(10, scan_hint, None).await;
        assert_eq!(lease.jobs.len(), 10);
        session.finish(&lease, End::Complete).await;
        // The first call of a session reads the catalog.
        if round > 0 {
            dearest = dearest.max(cost.buffers);
        }
    }
    dearest
}

/// The buffers of the statements that name a lease: a finish, the return of a lease, and a completion in a transaction.
async fn buffers_by_lease(session: &mut Session, scan_hint: i64) -> [f64; 3] {
    let _quiet = QUIET.read().await;
    let mut buffers = [0.0; 3];
    // The first call of a session reads the catalog.
    for _ in 0..2 {
        let (_, lease) = session.claim(1, scan_hint, None).await;
        let finish = session.finish(&lease, End::Complete).await;
        let (_, lease) = session.claim(1, scan_hint, None).await;
        let complete = session.complete_in(&lease).await.0;
        let (_, lease) = session.claim(1, scan_hint, None).await;
        let give_back = session.return_lease(&lease).await;
        buffers = [finish.buffers, give_back.buffers, complete.buffers];
    }
    buffers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claim_and_finish_cost_the_same_beside_many_leases() {
    let (mut claim, mut by_lease) = (Vec::new(), Vec::new());
    for leases in [1_000, 10_000] {
        let db = Db::new(&format!("leases_{leases}")).await;
        let mut session = Session::new(&db).await;
        session.fill_leases(leases).await;
        session.fill(1_000, KIND).await;
        // The scan hint of a worker that has claimed some of them.
        let scan_hint = leases as i64 - 500 - 2 * 500;
        claim.push(claim_buffers(&mut session, scan_hint).await);
        by_lease.push(buffers_by_lease(&mut session, scan_hint).await);
    }
    at_most("buffers of a claim beside 10,000 leases", claim[1], 1.5 * claim[0]);
    for (place, call) in ["finish", "return of a lease", "completion in a transaction"].iter().enumerate() {
        let (few, many) = (by_lease[0][place], by_lease[1][place]);
        at_most(&format!("buffers of a {call} beside 10,000 leases"), many, 1.5 * few);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claim_walks_little_among_a_million_jobs() {
    let few = Db::new("waiting_100").await;
    let mut few = Session::new(&few).await;
    few.fill(100, KIND).await;
    let db = Db::new("waiting_1000000").await;
    let mut session = Session::new(&db).await;
    session.fill(1_000_000, STRANGE).await;
    session.kind = STRANGE;
    let (few, many) = (claim_buffers(&mut few, 0).await, claim_buffers(&mut session, 0).await);
    // Where fewer tickets were drawn than a claim may pass, it need not look for the end of its walk.
    at_most("buffers of a claim with a million waiting", many, 2.0 * few);

    // The statistics of a queue count at most ten thousand of each.
    let _ = session.stats().await;
    at_most("buffers of the figures of a queue of a million", session.stats().await.buffers, 1000.0);

    // An explanation counts at most ten thousand jobs before one, and the jobs that run beside it.
    session
        .run("update pgjobq.workers set lease = '1 day', queues = '{default}', kinds = '{known_to_nobody}', slots = '{10}'")
        .await;
    let last =
        "select id from pgjobq.jobs where shard = 0 and queue_id = $1 and priority = 1 and ticket is not null
                   and crashes = 0 order by ticket desc limit 1";
    let last: uuid::Uuid =
        sqlx::query_scalar(last).bind(session.queue).fetch_one(&mut session.stage).await.unwrap();
    let counted = format!("select (details->>'behind')::bigint from pgjobq.explain('{last}')");
    assert!(session.number(&counted).await > 10_000, "it is in line");
    let _ = session.explain(last).await;
    at_most("buffers of an explanation beside a million", session.explain(last).await.buffers, 1000.0);

    // The same million, to a worker that knows another kind; and quarantined jobs, of which there are more than a walk as well.
    session.kind = KIND;
    session.fill(1_000, KIND).await;
    session
        .run("update pgjobq.jobs set crashes = 1 where kind = 'known_to_nobody' and ticket <= 20000")
        .await;
    let _quiet = QUIET.read().await;
    for call in ["first", "again"] {
        let cost = session.claim_nothing(10, 0).await;
        at_most(&format!("buffers of a claim behind a million others, {call}"), cost.buffers, WALK);
        let cost = session.peek(10, 0, TOP).await;
        at_most(&format!("buffers of a peek behind a million others, {call}"), cost.buffers, 5.0 * WALK);
        let cost = session.claim_no_quarantined().await;
        at_most(&format!("buffers of a claim behind 20,000 quarantined jobs, {call}"), cost.buffers, WALK);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn look_at_eight_shards_costs_no_more_than_eight() {
    let db = Db::new("eight_shards").await;
    let mut session = Session::new(&db).await;
    session.enqueue(1_000, Some(3_600_000_000)).await;
    session
        .run("update pgjobq.jobs set expires_at = now() + interval '1 hour' where shard = 0 and run_at is not null")
        .await;
    let _quiet = QUIET.read().await;
    for call in ["first", "again"] {
        let (promote, find) = (session.promote(1000).await.buffers, session.find_due(8).await.buffers);
        at_most(&format!("buffers of a look for due jobs in 8 shards, {call}"), find, 8.0 * promote);
        let (expire, find) =
            (session.expire(&[uuid::Uuid::nil()]).await.buffers, session.find_expiring(8).await.buffers);
        at_most(&format!("buffers of a look for expired jobs in 8 shards, {call}"), find, 8.0 * expire);
    }
}
