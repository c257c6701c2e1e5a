//! Claims one job, the next of all lines, and begins it. The claim loop of a worker asks for many, and from several lanes at a time.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::{
    Bounds, Claim, ClaimId, ClaimedJob, JobDescriptor, Lane, Opened, Peek, Places, QuarantineClaim, Ticket,
};

use super::begin::{Reserved, begin};
use super::scan_hint::{BOTTOM, TOP};
use crate::attempt::turn;
use crate::runtime::Runtime;
use crate::served_queue::ServedQueue;
use crate::slots::Slots;

/// Longer than any call gathers its jobs.
const LONGEST_WITHIN: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A lane in which a job waits.
struct Waiting {
    /// The place of its first job: the highest priority first, and then the order in which the jobs came into line. Quarantined
    /// jobs come last, as they do in a worker that is busy.
    place: (bool, Reverse<i16>, Ticket),
    lane: Lane,
    queue: Arc<ServedQueue>,
}

/// Claims the next job of all lines and begins its attempt. Returns its job function, or `None` if no job may begin.
pub(crate) async fn claim_one(
    runtime: &Arc<Runtime>,
) -> Result<Option<&'static JobDescriptor>, DatabaseError> {
    for waiting in waiting(runtime).await? {
        let (is_quarantined, ..) = waiting.place;
        let claimed = if is_quarantined {
            claim_quarantined(runtime, waiting).await?
        } else {
            claim(runtime, waiting).await?
        };
        if claimed.is_some() {
            return Ok(claimed);
        }
    }
    Ok(None)
}

/// Begins all calls that gather their jobs, as if they had waited for long enough.
pub(crate) fn begin_calls(runtime: &Arc<Runtime>) {
    let due = Instant::now() + LONGEST_WITHIN;
    for queue in &runtime.queues {
        while let Some((slot, call)) = Slots::take_due_call(queue, due) {
            turn::spawn(runtime, slot, call);
        }
    }
}

/// Returns the lanes in which jobs wait, in the order of their first jobs.
async fn waiting(runtime: &Runtime) -> Result<Vec<Waiting>, DatabaseError> {
    let shards = runtime.store.shards();
    // A call that gathers its jobs has room for more without another slot.
    let has_room =
        |queue: &&Arc<ServedQueue>| queue.count_free() > 0 || queue.occupancy().gathering.room(0) > 0;
    let open = || runtime.queues.iter().filter(has_room);
    let lanes: Vec<_> = shards
        .iter()
        .flat_map(|shard| open().map(|queue| (Lane { shard: *shard, queue: queue.id() }, Arc::clone(queue))))
        .collect();
    let peek = |(lane, _): &(Lane, _)| Peek { lane: *lane, low: BOTTOM, high: TOP, quarantine: BOTTOM };
    let peeks: Vec<_> = lanes.iter().map(peek).collect();
    let peeked = runtime.store.peek(&peeks, &runtime.kinds.all, 1).await?;
    let mut waiting = Vec::new();
    for ((lane, queue), peeked) in lanes.into_iter().zip(peeked) {
        let in_line = peeked.found.first().map(|(ticket, priority)| (false, Reverse(*priority), *ticket));
        let is_quarantined = peeked.quarantined && queue.count_free() > 0;
        let in_quarantine = is_quarantined.then_some((true, Reverse(0), Ticket(0)));
        let places = in_line.into_iter().chain(in_quarantine);
        waiting.extend(places.map(|place| Waiting { place, lane, queue: Arc::clone(&queue) }));
    }
    waiting.sort_by_key(|waiting| (waiting.place, waiting.lane));
    Ok(waiting)
}

async fn claim(
    runtime: &Arc<Runtime>,
    Waiting { lane, queue, .. }: Waiting,
) -> Result<Option<&'static JobDescriptor>, DatabaseError> {
    let beyond_slots = usize::from(queue.count_free() == 0);
    let slots = Slots::take(&queue, 1 - beyond_slots, beyond_slots);
    let is_transactional = !runtime.kinds.transactional.is_empty();
    let places = is_transactional.then(|| runtime.client.take_places(1)).flatten();
    let count = places.as_ref().map_or(0, Places::count);
    let kinds = if count == 0 { &runtime.kinds.plain } else { &runtime.kinds.all };
    let scarce: &[_] = if count == 0 { &[] } else { &runtime.kinds.transactional };
    let bounds = Bounds { scarce, scarce_want: count, ..Bounds::default() };
    let id = new_claim(runtime, lane);
    let claim = Claim { id, wait: true, kinds, want: 1, scan_hint: BOTTOM, found: None, bounds };
    let claimed = runtime.store.claim(claim).await;
    let claimed = claimed.inspect_err(|_| runtime.leases.end_claim(id.lease, &[]))?;
    let function = job_function(runtime, &claimed.jobs);
    begin(runtime, id, claimed.jobs, Reserved { slots, places, quarantined: Vec::new() });
    Ok(function)
}

async fn claim_quarantined(
    runtime: &Arc<Runtime>,
    Waiting { lane, queue, .. }: Waiting,
) -> Result<Option<&'static JobDescriptor>, DatabaseError> {
    let quarantine = &runtime.quarantine;
    if quarantine.count_free() == 0 {
        return Ok(None);
    }
    let (slots, alone) = (Slots::take(&queue, 1, 0), quarantine.is_empty());
    let admission = quarantine.admit(1);
    let id = new_claim(runtime, lane);
    let lone_first = quarantine.lone_goes_first();
    let claim = QuarantineClaim { id, kinds: &runtime.kinds.all, want: 1, alone, lone_first, from: BOTTOM };
    let claimed = runtime.store.claim_quarantined(claim).await;
    let claimed = claimed.inspect_err(|_| runtime.leases.end_claim(id.lease, &[]))?;
    if claimed.lane == Opened::Open {
        quarantine.passed(claimed.passed);
    }
    let function = job_function(runtime, &claimed.jobs);
    let quarantined = admission.claimed(claimed.jobs.len(), claimed.alone);
    begin(runtime, id, claimed.jobs, Reserved { slots, places: None, quarantined });
    Ok(function)
}

fn new_claim(runtime: &Runtime, lane: Lane) -> ClaimId {
    ClaimId { lane, worker: runtime.worker(), lease: runtime.leases.begin_claim() }
}

fn job_function(runtime: &Runtime, jobs: &[ClaimedJob]) -> Option<&'static JobDescriptor> {
    jobs.first().and_then(|job| runtime.registry.get(&job.kind))
}
