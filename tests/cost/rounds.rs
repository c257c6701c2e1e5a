//! A round of every hot statement, in batches of ten and of 500 jobs.

use std::collections::BTreeMap;

use crate::calls::{End, TOP};
use crate::server::Db;
use crate::session::{Cost, Session};
use crate::tables::QUIET;

/// The cost of each statement per job, by its name and the jobs in a batch: the highest of all calls.
pub(crate) type Figures = BTreeMap<(&'static str, usize), Cost>;

/// Returns a figure for each statement, in new sessions. The jobs begin above the ticket `scan_hint`.
pub(crate) async fn figures(db: &Db, scan_hint: i64) -> Figures {
    let mut figures = Figures::new();
    let mut scan_hint = scan_hint;
    let _quiet = QUIET.read().await;
    for jobs in [10, 500] {
        let mut session = Session::new(db).await;
        // Not counted: reading the catalog, and six calls after which no plan is new any more.
        for (unseen, rounds) in [(1, 2), (5, 2)] {
            for _ in 0..unseen {
                scan_hint = round(&mut session, 1, scan_hint, &mut Figures::new()).await;
            }
            for _ in 0..rounds {
                scan_hint = round(&mut session, jobs, scan_hint, &mut figures).await;
            }
        }
        session.leave().await;
    }
    figures
}

/// Runs each statement once. Returns the worker's next scan hint.
async fn round(session: &mut Session, jobs: usize, scan_hint: i64, figures: &mut Figures) -> i64 {
    let mut note = |name, cost: Cost| {
        let dearest = figures.entry((name, jobs)).or_default();
        let each = |figure: f64| figure / jobs as f64;
        dearest.buffers = dearest.buffers.max(each(cost.buffers));
        dearest.wal = dearest.wal.max(each(cost.wal));
        dearest.milliseconds = dearest.milliseconds.max(each(cost.milliseconds));
    };
    let (cost, ids) = session.enqueue(jobs, None).await;
    note("enqueue", cost);
    note("lookup live", session.lookup(&ids).await);
    note("unstarted", session.unstarted(&ids).await);
    note("status", session.status(ids[0]).await);
    note("explain", session.explain(ids[0]).await);
    note("peek ahead", session.peek(jobs, scan_hint, TOP).await);

    let (cost, lease) = session.claim(jobs, scan_hint, None).await;
    note("claim", cost);
    note("heartbeat", session.heartbeat().await);
    note("give_up_workers", session.give_up_workers().await);
    note("finish complete", session.finish(&lease, End::Complete).await);
    note("lookup unknown", session.lookup(&lease.ids()).await);

    let found = session.free_tickets(jobs, lease.max_ticket).await;
    let (cost, lease) = session.claim(jobs, scan_hint, Some(found)).await;
    note("claim found", cost);
    note("finish kept", session.finish(&lease, End::CompleteKept).await);
    note("lookup kept", session.lookup(&lease.ids()).await);

    for (name, end) in [("finish retry", End::Retry), ("finish bury", End::Bury)] {
        let (_, lease) = session.claim(jobs, scan_hint, None).await;
        note(name, session.finish(&lease, end).await);
    }
    let (_, lease) = session.claim(jobs, scan_hint, None).await;
    note("return_lease", session.return_lease(&lease).await);
    note("peek sweep", session.peek(jobs, scan_hint, lease.max_ticket).await);

    session.enqueue(jobs, Some(1)).await;
    note("find_due", session.find_due(8).await);
    note("promote", session.promote(jobs).await);
    note("note_rates", session.note_rates().await);

    let (_, ids) = session.enqueue(jobs, None).await;
    let (asked, acted) = session.cancel(&ids).await;
    note("ask_to_cancel", asked);
    note("act_on_cancels", acted);
    let (_, ids) = session.enqueue(jobs, None).await;
    note("find_expiring", session.find_expiring(8).await);
    note("expire", session.expire(&ids).await);

    let (_, lease) = session.claim(1, scan_hint, None).await;
    let (said, completed) = session.complete_in(&lease).await;
    note("say_progress", said);
    note("complete_in", completed);
    session.return_lease(&lease).await;

    let (_, lease) = session.claim(jobs, scan_hint, None).await;
    session.disappear().await;
    note("reap", session.reap().await);
    for _ in 0..jobs.min(3) {
        let (cost, quarantined) = session.claim_quarantined().await;
        figures.entry(("claim_quarantined", 1)).or_insert(cost);
        session.finish(&quarantined, End::Complete).await;
    }
    session.drop_suspects().await;
    lease.max_ticket - 500 - 2 * jobs as i64
}
