//! The requests that the claim loop sends to the database, each a future of its own: claims, claims of quarantined jobs, looks,
//! and announcements of idle queues.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::{
    Bounds, ByPriority, Claim, ClaimId, Claimed, ClaimedQuarantined, Peek, Peeked, Places, QuarantineClaim,
    QueueId, WorkerId,
};
use tokio::time::sleep;

use super::lost_claim::return_claim;
use super::portion::{CLAIM_BATCH_SIZE, may_be_caused_by_jobs};
use super::quarantine::Admission;
use super::scan_hint::Found;
use crate::runtime::Runtime;
use crate::slots::Slots;

/// The timeout of an answer while the worker drains. The jobs of a later claim are returned by the id of its lease.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// An answer, with its request.
pub(super) enum Answer {
    Claim(InFlight<WalkRequest>, Result<Claimed, Failed>),
    Quarantine(InFlight<QuarantineRequest>, Result<ClaimedQuarantined, Failed>),
    Look { looks: Vec<(usize, Look)>, sent: Instant, answer: Result<Vec<Peeked>, Failed> },
    Announced(Result<(), Failed>),
}

/// The error of a request.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error("the answer did not come within the claim timeout")]
    TimedOut,
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// The part of a lane at which a look looks: above or below its scan hint.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Ahead,
    Below,
}

/// A claim in flight.
pub(super) struct InFlight<R> {
    /// The index of the lane among the worker's lanes.
    pub(super) place: usize,
    pub(super) id: ClaimId,
    /// The slots for its jobs, and the room for those that it prefetches.
    pub(super) slots: Slots,
    pub(super) sent: Instant,
    pub(super) request: R,
}

/// A claim of the jobs in line, by a walk from the scan hint or by name.
pub(super) struct WalkRequest {
    /// True to wait for the lane if another session has locked it.
    pub(super) wait: bool,
    pub(super) from: ByPriority,
    /// The tickets to claim by name, if a look has found some.
    pub(super) found: Option<Found>,
    pub(super) bytes: i64,
    pub(super) without_args: bool,
    /// Places for transactional jobs, reserved while the claim is in flight.
    pub(super) places: Option<Places>,
}

/// A claim of quarantined jobs.
pub(super) struct QuarantineRequest {
    /// True if no other quarantined job runs in this worker.
    pub(super) alone: bool,
    pub(super) lone_first: bool,
    pub(super) from: ByPriority,
    pub(super) admission: Admission,
}

impl Failed {
    /// Returns whether the jobs that were asked for may have caused the error.
    pub(super) fn may_be_caused_by_jobs(&self) -> bool {
        match self {
            Self::TimedOut => true,
            Self::Database(error) => may_be_caused_by_jobs(error),
        }
    }
}

pub(super) async fn claim(runtime: Arc<Runtime>, claim: InFlight<WalkRequest>) -> Answer {
    let (kinds, request) = (&runtime.kinds, &claim.request);
    let places = request.places.as_ref().map_or(0, Places::count);
    let sent = Claim {
        id: claim.id,
        wait: request.wait,
        kinds: if places == 0 { &kinds.plain } else { &kinds.all },
        want: claim.slots.jobs(),
        scan_hint: request.from,
        found: request.found.as_deref(),
        bounds: Bounds {
            bytes: request.bytes,
            scarce: if places == 0 { &[] } else { &kinds.transactional },
            scarce_want: places,
            bare: request.without_args,
        },
    };
    let answer = claimed(&runtime, claim.id, runtime.store.claim(sent)).await;
    Answer::Claim(claim, answer)
}

pub(super) async fn claim_quarantined(runtime: Arc<Runtime>, claim: InFlight<QuarantineRequest>) -> Answer {
    let sent = QuarantineClaim {
        id: claim.id,
        kinds: &runtime.kinds.all,
        want: claim.slots.count(),
        alone: claim.request.alone,
        lone_first: claim.request.lone_first,
        from: claim.request.from,
    };
    let answer = claimed(&runtime, claim.id, runtime.store.claim_quarantined(sent)).await;
    Answer::Quarantine(claim, answer)
}

pub(super) async fn look(
    runtime: Arc<Runtime>,
    looks: Vec<(usize, Look)>,
    peeks: Vec<Peek>,
    has_places: bool,
) -> Answer {
    let kinds = if has_places { &runtime.kinds.all } else { &runtime.kinds.plain };
    let sent = Instant::now();
    let answer = answer_in_time(&runtime, runtime.store.peek(&peeks, kinds, CLAIM_BATCH_SIZE)).await;
    Answer::Look { looks, sent, answer }
}

pub(super) async fn announce(runtime: Arc<Runtime>, worker: WorkerId, queues: Vec<QueueId>) -> Answer {
    Answer::Announced(answer_in_time(&runtime, runtime.store.set_idle(worker, &queues)).await)
}

/// Returns the answer of a claim. If the claim failed without an answer of the server, the server may have made a lease all the
/// same, which is returned.
async fn claimed<T>(
    runtime: &Arc<Runtime>,
    id: ClaimId,
    call: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, Failed> {
    let answer = answer_in_time(runtime, call).await;
    match &answer {
        Ok(_) => {}
        Err(Failed::Database(error)) if error.is_refusal() => runtime.leases.end_claim(id.lease, &[]),
        Err(_) => _ = runtime.returns.spawn(return_claim(Arc::clone(runtime), id)),
    }
    answer
}

async fn answer_in_time<T>(
    runtime: &Runtime,
    call: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, Failed> {
    let drained = async {
        runtime.stages.drain.cancelled().await;
        sleep(DRAIN_TIMEOUT).await;
    };
    tokio::select! {
        answered = call => Ok(answered?),
        () = sleep(runtime.config.claim_timeout) => Err(Failed::TimedOut),
        () = drained => Err(Failed::TimedOut),
    }
}
