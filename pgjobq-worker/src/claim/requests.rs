//! What the claim loop asks the database, each a future of its own: claims, claims of quarantined jobs, and looks.

use std::sync::Arc;
use std::time::Instant;

use pgjobq_core::__private::{
    Bounds, ByPriority, Claim, Claimed, ClaimedQuarantined, Lane, Peek, Peeked, Places, QuarantineClaim,
};
use pgjobq_core::DatabaseError;
use tokio::time::timeout;

use crate::claim::lane::Found;
use crate::claim::lost_claim::return_claim;
use crate::runtime::Runtime;

/// An answer, and what was asked.
pub(crate) enum Answer {
    Claim(AskedClaim, Result<Claimed, Failed>),
    Quarantine(AskedQuarantine, Result<ClaimedQuarantined, Failed>),
    Look { places: Vec<(usize, Look)>, sent: Instant, answer: Result<Vec<Peeked>, Failed> },
    Announced(Result<(), Failed>),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error("the answer did not come within the claim timeout")]
    TimedOut,
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// What a look looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Ahead,
    Below,
}

/// A claim on its way.
pub(crate) struct AskedClaim {
    /// The lane's place among the worker's lanes.
    pub(crate) place: usize,
    pub(crate) lane: Lane,
    pub(crate) worker: i64,
    pub(crate) lease: i64,
    pub(crate) want: usize,
    /// Whether to wait for a lane in which another worker claims just now.
    pub(crate) wait: bool,
    pub(crate) near: ByPriority,
    /// The tickets that it names, if it does.
    pub(crate) found: Option<Found>,
    pub(crate) bytes: i64,
    pub(crate) bare: bool,
    /// Free places for transactional jobs, held while the claim is on its way.
    pub(crate) places: Option<Places>,
}

/// A claim of quarantined jobs on its way.
pub(crate) struct AskedQuarantine {
    pub(crate) place: usize,
    pub(crate) lane: Lane,
    pub(crate) worker: i64,
    pub(crate) lease: i64,
    pub(crate) want: usize,
    pub(crate) alone: bool,
    pub(crate) lone_first: bool,
    pub(crate) from: ByPriority,
}

pub(crate) async fn claim(runtime: Arc<Runtime>, asked: AskedClaim) -> Answer {
    let kinds = &runtime.kinds;
    let places = asked.places.as_ref().map_or(0, Places::count);
    let bounds = Bounds {
        bytes: asked.bytes,
        scarce: if places == 0 { &[] } else { &kinds.transactional },
        scarce_want: places,
        bare: asked.bare,
    };
    let claim = Claim {
        lane: asked.lane,
        worker: asked.worker,
        lease: asked.lease,
        wait: asked.wait,
        kinds: if places == 0 { &kinds.plain } else { &kinds.all },
        want: asked.want,
        near: asked.near,
        found: asked.found.clone(),
        bounds,
    };
    let claimed = answer(&runtime, runtime.store.claim(claim)).await;
    if let Err(failed) = &claimed {
        give_up(&runtime, failed, asked.lane, asked.worker, asked.lease);
    }
    Answer::Claim(asked, claimed)
}

pub(crate) async fn claim_quarantined(runtime: Arc<Runtime>, asked: AskedQuarantine) -> Answer {
    let claim = QuarantineClaim {
        lane: asked.lane,
        worker: asked.worker,
        lease: asked.lease,
        kinds: &runtime.kinds.all,
        want: asked.want,
        alone: asked.alone,
        lone_first: asked.lone_first,
        from: asked.from,
    };
    let claimed = answer(&runtime, runtime.store.claim_quarantined(claim)).await;
    if let Err(failed) = &claimed {
        give_up(&runtime, failed, asked.lane, asked.worker, asked.lease);
    }
    Answer::Quarantine(asked, claimed)
}

pub(crate) async fn look(
    runtime: Arc<Runtime>,
    places: Vec<(usize, Look)>,
    peeks: Vec<Peek>,
    has_places: bool,
    want: usize,
) -> Answer {
    let kinds = if has_places { &runtime.kinds.all } else { &runtime.kinds.plain };
    let sent = Instant::now();
    let answer = answer(&runtime, runtime.store.peek(&peeks, kinds, want)).await;
    Answer::Look { places, sent, answer }
}

pub(crate) async fn announce(runtime: Arc<Runtime>, worker: i64, queues: Vec<i32>) -> Answer {
    Answer::Announced(answer(&runtime, runtime.store.set_idle(worker, &queues)).await)
}

/// The answer, or an error if it does not come in time.
async fn answer<T>(
    runtime: &Runtime,
    call: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, Failed> {
    match timeout(runtime.config.claim_timeout, call).await {
        Ok(answered) => Ok(answered?),
        Err(_) => Err(Failed::TimedOut),
    }
}

/// A claim has failed. If the server has not said so, it may have made a lease all the same, which is returned.
fn give_up(runtime: &Arc<Runtime>, failed: &Failed, lane: Lane, worker: i64, lease: i64) {
    match failed {
        Failed::Database(error) if error.code().is_some() => runtime.leases.end_claim(lease, &[]),
        _ => _ = runtime.returns.spawn(return_claim(Arc::clone(runtime), lane, worker, lease)),
    }
}
