//! The cost of a claim by a worker that accepts one waiting job in a thousand.

use crate::calls::{End, TOP};
use crate::limits::at_most;
use crate::server::Db;
use crate::session::Session;
use crate::tables::{KIND, QUIET};

const JOBS: usize = 200_000;
/// The limit of rows that a claim passes under the lock.
const WALK: f64 = 5000.0;
/// The tickets below the last one that a claim has scanned, to which its worker goes back: without a filter, and with one.
const SLACK: i64 = 500 + 2 * 500;
const SLACK_WITH_FILTER: i64 = 500;

/// The attributes of jobs of which every thousandth has the tenant 42.
const ONE_IN_A_THOUSAND: &str = "jsonb_build_object('tenant', (n + 42) % 1000, 'region', 'eu-west-1')";

/// The buffers of the dearest of some claims for a hundred slots, the default, from a scan hint that is as far behind as that of a worker. Before each,
/// others enqueue a hundred jobs for others, and one for this worker.
async fn claims_after_the_first_pass(session: &mut Session, expected: usize) -> f64 {
    let mut dearest = 0.0_f64;
    for round in 0..3 {
        let before = session.drawn().await;
        session.fill_with(100, KIND, "'{\"tenant\": 7}'").await;
        session.fill_with(1, KIND, "'{\"tenant\": 42}'").await;
        let _quiet = QUIET.read().await;
        let slack = if session.filter.is_some() { SLACK_WITH_FILTER } else { SLACK };
        let (cost, lease) = session.claim(100, before - slack, None).await;
        assert_eq!(lease.jobs.len(), expected);
        session.finish(&lease, End::Complete).await;
        // The first call of a session reads the catalog.
        if round > 0 {
            dearest = dearest.max(cost.buffers);
        }
    }
    dearest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claim_with_a_filter_costs_little_after_the_first_pass() {
    let (with, without) = (Db::new("filter").await, Db::new("no_filter").await);
    let (mut session, mut all) = (Session::new(&with).await, Session::new(&without).await);
    session.fill_with(JOBS, KIND, ONE_IN_A_THOUSAND).await;
    all.fill_with(JOBS, KIND, ONE_IN_A_THOUSAND).await;
    session.filter = Some(r#"exists($."tenant" ? (@ == 42))"#);
    let quiet = QUIET.read().await;

    // The first pass reads each row once, in walks that are bounded.
    session.claim_nothing(1, i64::MAX - 1).await; // It reads the catalog.
    let (mut scan_hint, mut walks, mut taken) = (0, 0, 0);
    while scan_hint < session.drawn().await {
        let (cost, lease) = session.claim(500, scan_hint, None).await;
        at_most("buffers of a walk through jobs of others", cost.buffers, WALK);
        (taken, walks, scan_hint) = (taken + lease.jobs.len(), walks + 1, scan_hint + 500 + WALK as i64);
    }
    assert!(taken == JOBS / 1000 && walks <= 1 + JOBS / 5000, "{taken} jobs in {walks} walks");
    let cost = session.peek(500, 0, TOP).await;
    at_most("buffers of a sweep through jobs of others", cost.buffers, 5.0 * WALK);
    drop(quiet);

    let with = claims_after_the_first_pass(&mut session, 1).await;
    let without = claims_after_the_first_pass(&mut all, 100).await;
    println!("a claim for 100 slots reads {without} buffers without a filter, and {with} with one");
    assert!(with <= 3.0 * without, "{with} buffers with a filter, and {without} without");
}
