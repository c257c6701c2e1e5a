//! The cost of a claim beside pauses.

use crate::calls::End;
use crate::limits::at_most;
use crate::server::Db;
use crate::session::{Cost, Session};
use crate::tables::{KIND, QUIET};

/// The cheapest of several claims of ten jobs: what each of them pays. The first one reads the catalog and clears the
/// lane's mark, and now and then one of them tidies a page.
pub(crate) async fn cheapest_claim(session: &mut Session) -> Cost {
    let _quiet = QUIET.read().await;
    let mut cheapest = Cost::ENDLESS;
    for _ in 0..8 {
        let (cost, lease) = session.claim(10, 0, None).await;
        assert_eq!(lease.jobs.len(), 10);
        session.finish(&lease, End::Complete).await;
        cheapest.buffers = cheapest.buffers.min(cost.buffers);
        cheapest.wal = cheapest.wal.min(cost.wal);
    }
    cheapest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claim_pays_only_for_pauses_that_concern_its_lane() {
    let db = Db::new("paused").await;
    let mut session = Session::new(&db).await;
    session.fill(1_000, KIND).await;
    session.run("select pgjobq.create_queue('elsewhere')").await;
    let without = cheapest_claim(&mut session).await;
    session.run("select pgjobq.pause('queue', 'elsewhere')").await;
    let beside = cheapest_claim(&mut session).await;
    at_most("buffers of a claim beside a paused queue", beside.buffers, without.buffers + 2.0);
    at_most("WAL of a claim beside a paused queue", beside.wal, without.wal);
    // A key may be that of any job.
    session.run("select pgjobq.pause('key', 'tenant:42')").await;
    let keyed = cheapest_claim(&mut session).await;
    at_most("buffers of a claim while a key is paused", keyed.buffers, without.buffers + 12.0);
    at_most("WAL of a claim while a key is paused", keyed.wal, without.wal);
}
