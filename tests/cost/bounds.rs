//! The cost of jobs in a bounded queue, and beside one.

use crate::calls::End;
use crate::limits::at_most;
use crate::server::Db;
use crate::session::{Cost, Session};
use crate::tables::{KIND, QUIET};

/// The cheapest of several enqueues of this many jobs, and of the finishes of jobs like these.
async fn cheapest(session: &mut Session, count: usize) -> (Cost, Cost) {
    let _quiet = QUIET.read().await;
    let (mut enqueue, mut finish) = (Cost::ENDLESS, Cost::ENDLESS);
    let lower = |cheapest: &mut Cost, cost: Cost| {
        cheapest.buffers = cheapest.buffers.min(cost.buffers);
        cheapest.wal = cheapest.wal.min(cost.wal);
    };
    for _ in 0..8 {
        let (enqueued, _) = session.enqueue(count, None).await;
        let (_, lease) = session.claim(count, 0, None).await;
        assert_eq!(lease.jobs.len(), count);
        let finished = session.finish(&lease, End::Complete).await;
        lower(&mut enqueue, enqueued);
        lower(&mut finish, finished);
    }
    (enqueue, finish)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_jobs_of_bounded_queues_pay_for_bounds() {
    let db = Db::new("bounds").await;
    let mut session = Session::new(&db).await;
    // With few rows, an index grows by a level meanwhile, and each insert pays for that. So it has them before: those that stay,
    // and in the indexes of the jobs below those that have ended.
    session.fill(3_000, KIND).await;
    session.enqueue(1_000, None).await;
    let (_, lease) = session.claim(1_000, 0, None).await;
    session.finish(&lease, End::Complete).await;
    for count in [1, 100] {
        let (enqueue, finish) = cheapest(&mut session, count).await;
        session.run("select pgjobq.save_bound(pgjobq.create_queue('elsewhere'), 1000, null)").await;
        let (beside, finish_beside) = cheapest(&mut session, count).await;
        let name = |what: &str| format!("{what} of {count} jobs");
        at_most(&name("buffers of an enqueue beside a bounded queue,"), beside.buffers, enqueue.buffers);
        at_most(&name("WAL of an enqueue beside a bounded queue,"), beside.wal, enqueue.wal);
        at_most(&name("buffers of a finish beside a bounded queue,"), finish_beside.buffers, finish.buffers);
        at_most(&name("WAL of a finish beside a bounded queue,"), finish_beside.wal, finish.wal);

        session.run(&format!("select pgjobq.save_bound({}, 1000000, null)", session.queue)).await;
        let (bounded, finish_bounded) = cheapest(&mut session, count).await;
        // A chunk of places for each 64 jobs. In some runs a job reads one buffer more, in all tries; it is not known which.
        let chunks = 2.0;
        let most = enqueue.buffers + 60.0 + count as f64;
        at_most(&name("buffers of a bounded enqueue,"), bounded.buffers, most);
        at_most(&name("WAL of a bounded enqueue,"), bounded.wal, enqueue.wal + chunks * 200.0);
        at_most(&name("buffers of a bounded finish,"), finish_bounded.buffers, finish.buffers + 20.0);
        at_most(&name("WAL of a bounded finish,"), finish_bounded.wal, finish.wal + chunks * 200.0);
        session.run(&format!("select pgjobq.save_bound({}, 0, null)", session.queue)).await;
    }
}
