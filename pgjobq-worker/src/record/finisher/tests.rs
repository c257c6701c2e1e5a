use std::sync::Arc;

use pgjobq_core::JobId;
use pgjobq_core::worker_api::{Decision, Lane, LeaseId, LeaseKey, QueueId, Ticket};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::leases::{HeldJob, Lease};

fn waiting(sizes: &[(usize, usize)]) -> VecDeque<Unrecorded> {
    let key = LeaseKey {
        lane: Lane { shard: Shard(0), queue: QueueId(1) },
        priority: 1,
        max_ticket: Ticket(1),
        id: LeaseId(1),
    };
    let lease = Arc::new(Lease::new(key, WorkerId(1), &mut [], CancellationToken::new()));
    let result = |&(most, bytes): &(usize, usize)| {
        let job = HeldJob { id: JobId::new(), ticket: Ticket(1), address: None, at_most_once: false };
        let result = Unrecorded::new(lease.hold(job), Arc::clone(&lease), Decision::Release);
        Unrecorded { most, bytes, ..result }
    };
    sizes.iter().map(result).collect()
}

fn cuts(sizes: &[(usize, usize)]) -> Vec<usize> {
    let mut waiting = waiting(sizes);
    let mut cuts = Vec::new();
    while !waiting.is_empty() {
        cuts.push(cut(&mut waiting).len());
    }
    cuts
}

#[test]
fn batch_has_bounded_rows() {
    assert_eq!(cuts(&[(BATCH_ROWS, 1); BATCH_ROWS + 1]), [BATCH_ROWS, 1]);
}

#[test]
fn batch_has_bounded_bytes() {
    let half = (BATCH_ROWS, BATCH_BYTES / 2);
    assert_eq!(cuts(&[half; 5]), [2, 2, 1]);
    assert_eq!(cuts(&[half, (BATCH_ROWS, BATCH_BYTES * 3), half]), [1, 1, 1], "a large one goes alone");
}

#[test]
fn failed_results_go_in_smaller_batches() {
    assert_eq!(cuts(&[(4, 1); 10]), [4, 4, 2]);
    let fresh = (BATCH_ROWS, 1);
    assert_eq!(
        cuts(&[fresh, fresh, (1, 1), fresh, fresh]),
        [2, 1, 2],
        "one that goes alone takes none along"
    );
}
