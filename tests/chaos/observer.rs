//! Checks conservation throughout the run: in one snapshot, no acknowledged job is missing, and each job has an attempted
//! enqueue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::stage::Stage;

/// In one snapshot: the jobs of bounded queues above their bounds; and the places that are neither occupied nor free, or both.
const BOUND: [(&str, &str); 2] = [
    (
        "jobs above the bound",
        "select sum(greatest((select count(*) from pgjobq.jobs j where j.queue_id = q.id) - pgjobq.bound_of(q), 0))
           from pgjobq.queues q where is_bounded",
    ),
    (
        "places lost",
        "select sum(abs(q.capacity - (select count(*) from pgjobq.jobs j where j.queue_id = q.id)
                        - (select coalesce(sum(places), 0) from pgjobq.room r where r.queue_id = q.id)))
           from pgjobq.queues q where is_bounded",
    ),
];

const EVERY: Duration = Duration::from_millis(200);

/// The numbers of snapshots that were checked.
#[derive(Default)]
pub(crate) struct Snapshots {
    pub(crate) conserved: usize,
    pub(crate) bounded: usize,
}

/// Checks acknowledged <= completed + dead + cancelled + expired + live <= attempted, and the bound of a queue.
pub(crate) async fn observe(stage: Arc<Stage>, goes_on: Arc<AtomicBool>) -> Snapshots {
    let mut snapshots = Snapshots::default();
    let ended =
        "select count(*) from pgjobq.finished where outcome in ('completed', 'dead', 'cancelled', 'expired')";
    // All numbers of one snapshot in one: nothing here has a million live or a billion jobs.
    let limited = "select count(*) from pgjobq.jobs where limits is not null or unique_key is not null";
    let all =
        format!("(({limited}) * 1000000 + (select count(*) from pgjobq.jobs)) * 1000000000 + ({ended})");
    while goes_on.load(Ordering::SeqCst) {
        let at_least = stage.account.acknowledged.load(Ordering::SeqCst);
        if let Some(all) = stage.try_number(&all).await {
            let (live, ended) = (all / 1_000_000_000, all % 1_000_000_000);
            let (limited, live) = (live / 1_000_000, live % 1_000_000);
            let at_most = stage.account.attempted.load(Ordering::SeqCst);
            let there = live + ended;
            assert!(
                (at_least..=at_most).contains(&there),
                "{there} jobs ({live} live), of {at_least} acknowledged and {at_most} attempted"
            );
            stage.account.live.store(live - limited, Ordering::SeqCst);
            snapshots.conserved += 1;
        }
        for (what, sql) in BOUND {
            let found = stage.try_number(sql).await;
            assert!(matches!(found, None | Some(0)), "{what}");
            snapshots.bounded += usize::from(found.is_some() && what == BOUND[0].0);
        }
        tokio::time::sleep(EVERY).await;
    }
    snapshots
}
