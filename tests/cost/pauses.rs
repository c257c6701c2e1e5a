//! The cost of a claim beside pauses.

use crate::calls::End;
use crate::limits::at_most;
use crate::server::Db;
use crate::session::{Cost, Session};
use crate::tables::{KIND, QUIET};

/// The dearest of several claims of ten jobs.
async fn dearest_claim(session: &mut Session, scan_hint: i64) -> Cost {
    let _quiet = QUIET.read().await;
    let mut dearest = Cost::default();
    for round in 0..8 {
        let (cost, lease) = session.claim(10, scan_hint, None).await;
        assert_eq!(lease.jobs.len(), 10);
        session.finish(&lease, End::Complete).await;
        // The first call of a session reads the catalog, and the first claim of a lane clears its mark.
        if round > 0 {
            dearest.buffers = dearest.buffers.max(cost.buffers);
            dearest.wal = dearest.wal.max(cost.wal);
        }
    }
    dearest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claim_pays_only_for_pauses_that_concern_its_lane() {
    let db = Db::new("paused").await;
    let mut session = Session::new(&db).await;
    session.fill(1_000, KIND).await;
    session.run("select pgjobq.create_queue('elsewhere')").await;
    let without = dearest_claim(&mut session, 0).await;
    session.run("select pgjobq.pause('queue', 'elsewhere')").await;
    let beside = dearest_claim(&mut session, 0).await;
    at_most("buffers of a claim beside a paused queue", beside.buffers, without.buffers + 2.0);
    at_most("WAL of a claim beside a paused queue", beside.wal, without.wal);
    // A key may be that of any job.
    session.run("select pgjobq.pause('key', 'tenant:42')").await;
    let keyed = dearest_claim(&mut session, 0).await;
    at_most("buffers of a claim while a key is paused", keyed.buffers, without.buffers + 12.0);
    // One of them tidies the page of the lane, which the pause has updated.
    at_most("WAL of a claim while a key is paused", keyed.wal, without.wal + 100.0);
}
