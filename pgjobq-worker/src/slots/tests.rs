#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use pgjobq_core::worker_api::{
    ArgumentShape, BatchHandler, ClaimedJob, Handler, JobDescriptor, Lane, LeaseId, LeaseKey, Meta, QueueId,
    RawItem, Shard, StoredArgs, Ticket, WorkerId, async_trait,
};
use pgjobq_core::{JobContext, JobError, JobId, Policy};
use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::leases::Lease;
use crate::served_queue::{Room, Turn};

fn queue(limit: usize) -> Arc<ServedQueue> {
    Arc::new(ServedQueue::new(QueueId(1), "default", limit, Arc::default()))
}

fn job(ticket: i64, priority: i16) -> PrefetchedJob {
    let lane = Lane { shard: Shard(0), queue: QueueId(1) };
    let key = LeaseKey { lane, priority, max_ticket: Ticket(99), id: LeaseId(1) };
    let lease = Lease::new(key, WorkerId(1), &mut [], CancellationToken::new());
    PrefetchedJob::new(claimed(ticket, priority), Arc::new(lease), None, Instant::now())
}

pub(crate) fn claimed(ticket: i64, priority: i16) -> ClaimedJob {
    ClaimedJob {
        id: JobId::new(),
        kind: "mail".into(),
        args: None,
        priority,
        ticket: Ticket(ticket),
        address: None,
        attempts: 0,
        failures: 0,
        retries: 0,
        key: None,
        limits: Vec::new(),
        is_rated: false,
        max_crashes: 3,
        due: None,
        meta: Meta::default(),
    }
}

/// Returns the tickets of jobs that begin, and their slots.
fn begin(slots: Slots, jobs: Vec<PrefetchedJob>) -> (Vec<i64>, Vec<Slots>) {
    slots.begin(jobs).into_iter().map(|(slot, turn)| (tickets(&turn)[0], slot)).unzip()
}

/// Returns the tickets of the jobs that begin in one slot.
fn tickets(turn: &Turn) -> Vec<i64> {
    let jobs = match turn {
        Turn::Job(job) => std::slice::from_ref(job),
        Turn::Call(jobs) => jobs,
    };
    jobs.iter().map(|job| job.job.ticket.0).collect()
}

#[test]
fn dropped_slots_become_free() {
    let queue = queue(3);
    let mut slots = Slots::take(&queue, 10, 0);
    assert_eq!((slots.count(), Slots::take(&queue, 1, 0).count()), (3, 0));
    let one = slots.split_one().unwrap();
    drop(slots);
    assert_eq!(queue.count_free(), 2);
    drop(one);
    assert_eq!(queue.count_free(), 3);
}

#[test]
fn slot_passes_to_waiting_jobs_by_priority_and_arrival() {
    let queue = queue(2);
    let (begun, mut slots) =
        begin(Slots::take(&queue, 2, 3), vec![job(1, 1), job(2, 1), job(3, 1), job(4, 1)]);
    assert_eq!(begun, [1, 2]);
    let (begun, none) = begin(Slots::take(&queue, 0, 1), vec![job(5, 3)]);
    assert!(begun.is_empty() && none.is_empty());
    let mut slot = slots.pop().unwrap();
    for ticket in [5, 3, 4] {
        let (passed_on, turn) = slot.pass_on().unwrap();
        assert_eq!(tickets(&turn), [ticket]);
        slot = passed_on;
    }
    assert_eq!(queue.count_free(), 0);
    assert!(slot.pass_on().is_none() && queue.count_free() == 1);
}

#[test]
fn claimed_jobs_begin_in_slots_that_became_free_meanwhile() {
    let queue = queue(2);
    let running = Slots::take(&queue, 2, 0);
    let claim = Slots::take(&queue, 2, 5);
    assert_eq!((claim.count(), claim.jobs()), (0, 5));
    drop(running);
    let (begun, slots) = begin(claim, vec![job(1, 1), job(2, 1), job(3, 1)]);
    assert_eq!((begun, queue.count_free()), (vec![1, 2], 0));
    drop(slots); // Their tasks panicked: the job that waits begins in a free slot.
    assert_eq!(begin(Slots::take(&queue, 0, 0), Vec::new()).0, [3]);
    assert_eq!(queue.count_free(), 2);
}

#[test]
fn room_opens_again_when_half_of_the_jobs_are_gone() {
    let (queue, mut now) = (queue(1), Instant::now());
    (0..100).for_each(|_| queue.occupancy().prefetch.pace.ended());
    assert_eq!(queue.room(now), Room { slots: 1, ahead: 100 });
    let claim = Slots::take(&queue, 1, 100);
    assert_eq!(queue.room(now).ahead, 0, "a claim is in flight");
    let (_, mut slots) = begin(claim, (0..100).map(|ticket| job(ticket, 1)).collect());
    let mut slot = slots.pop().unwrap();
    for _ in 0..30 {
        slot = slot.pass_on().unwrap().0;
    }
    assert!(!queue.has_room(now), "69 wait, and 130 have ended");
    for _ in 0..10 {
        slot = slot.pass_on().unwrap().0;
    }
    assert_eq!(queue.room(now).ahead, 140 - 59);
    now += Duration::from_secs(1);
    assert!(!queue.has_room(now), "few have ended in the last moment");
    drop(slot);
}

#[test]
fn slot_freed_after_a_look_wakes_the_claim_loop() {
    let freed = Arc::<Notify>::default();
    let queue = Arc::new(ServedQueue::new(QueueId(1), "default", 2, Arc::clone(&freed)));
    let is_woken = || freed.notified().now_or_never().is_some();
    let now = Instant::now();
    let (one, other) = (Slots::take(&queue, 1, 0), Slots::take(&queue, 1, 0));
    assert!(!queue.has_room(now) && !is_woken());
    drop(one);
    assert!(is_woken() && queue.has_room(now));
    drop(other);
    assert!(!is_woken(), "there was room already");
    // For a claim that prefetches nothing a queue may be full that has room for others.
    (0..100).for_each(|_| queue.occupancy().prefetch.pace.ended());
    let (both, slots) = (Slots::take(&queue, 2, 0), Room { slots: 0, ahead: 0 });
    assert!(queue.has_room(now) && queue.free_slots() == slots && !is_woken());
    drop(both);
    assert!(is_woken());
}

#[test]
fn waiting_jobs_are_taken_back() {
    let queue = queue(1);
    let (_, _slots) = begin(Slots::take(&queue, 1, 2), vec![job(1, 1), job(2, 1), job(3, 3)]);
    let (id, now) = (JobId::new(), Instant::now());
    assert!(queue.occupancy().prefetch.remove(id).is_none());
    assert!(queue.occupancy().prefetch.oldest().unwrap() <= now);
    let mut waiting = job(4, 1);
    waiting.job.id = id;
    assert!(begin(Slots::take(&queue, 0, 1), vec![waiting]).0.is_empty());
    assert_eq!(queue.occupancy().prefetch.remove(id).unwrap().job.ticket, Ticket(4));
    let overdue = queue.occupancy().prefetch.take_overdue(now);
    assert_eq!(overdue.len(), 2);
    assert!(queue.occupancy().prefetch.is_empty() && queue.occupancy().prefetch.oldest().is_none());
}

#[test]
fn lowered_limit_frees_slots_instead_of_passing_them_on() {
    let queue = queue(3);
    let (begun, mut slots) = begin(Slots::take(&queue, 3, 1), (1..=4).map(|ticket| job(ticket, 1)).collect());
    assert_eq!(begun, [1, 2, 3], "one waits");
    queue.set_limit(2);
    assert_eq!(queue.count_free(), 0);
    assert!(slots.pop().unwrap().pass_on().is_none(), "three were taken of two");
    let (_slot, next) = slots.pop().unwrap().pass_on().unwrap();
    assert_eq!(tickets(&next), [4]);
    queue.set_limit(3);
    assert_eq!((queue.limit(), queue.count_free()), (3, 1));
}

struct Nothing;

#[async_trait]
impl Handler for Nothing {
    async fn run(&self, _: JobContext, _: &RawValue) -> Result<Box<RawValue>, JobError> {
        unreachable!("no job runs here")
    }

    fn check(&self, _: &StoredArgs<'_>) -> Result<(), JobError> {
        Ok(())
    }

    fn shape(&self) -> Vec<ArgumentShape> {
        Vec::new()
    }
}

#[async_trait]
impl BatchHandler for Nothing {
    async fn run(&self, _: Vec<RawItem>) {}
}

const fn kind(kind: &'static str, policy: Policy) -> JobDescriptor {
    let (handler, batch): (&dyn Handler, Option<&dyn BatchHandler>) = (&Nothing, Some(&Nothing));
    JobDescriptor {
        kind,
        aliases: &[],
        policy,
        scheduled: None,
        handler,
        batch,
        states: &[],
        module: "app",
        file: "",
        line: 1,
    }
}

static THREE: JobDescriptor = kind("three", Policy::DEFAULT.batch(3));
static HUNDRED: JobDescriptor = kind("hundred", Policy::DEFAULT.batch(100));
static OF_KEY: JobDescriptor = kind("of_key", Policy::DEFAULT.batch(2).batch_by_key());

fn item(ticket: i64, kind: &'static JobDescriptor) -> PrefetchedJob {
    let mut item = job(ticket, 1);
    item.batch = Some(kind);
    item
}

fn item_of(ticket: i64, key: &str) -> PrefetchedJob {
    let mut item = item(ticket, &OF_KEY);
    item.job.key = Some(key.to_owned());
    item
}

fn items(tickets: std::ops::RangeInclusive<i64>, kind: &'static JobDescriptor) -> Vec<PrefetchedJob> {
    tickets.map(|ticket| item(ticket, kind)).collect()
}

/// Returns the tickets of what begins.
fn turns(begun: &[(Slots, Turn)]) -> Vec<Vec<i64>> {
    begun.iter().map(|(_, turn)| tickets(turn)).collect()
}

/// Returns the tickets of the calls that are due in a long time.
fn due(queue: &Arc<ServedQueue>) -> Vec<Vec<i64>> {
    let later = Instant::now() + Duration::from_secs(60);
    let calls = std::iter::from_fn(|| Slots::take_due_call(queue, later));
    turns(&calls.collect::<Vec<_>>())
}

#[test]
fn call_takes_one_slot_and_begins_when_it_is_complete() {
    let queue = queue(4);
    let begun = Slots::take(&queue, 4, 0).begin(items(1..=2, &THREE));
    assert!(begun.is_empty());
    assert_eq!(queue.count_free(), 3, "the call has a slot while it gathers");
    let begun = Slots::take(&queue, 0, 3).begin(items(3..=5, &THREE));
    assert_eq!(turns(&begun), [[1, 2, 3]]);
    assert_eq!(queue.count_free(), 2, "the next call gathers");
    assert!(Slots::take_due_call(&queue, Instant::now()).is_none());
    assert_eq!(due(&queue), [[4, 5]]);
    drop(begun);
    assert_eq!(queue.count_free(), 4);
}

#[test]
fn other_kinds_and_keys_share_no_call() {
    let queue = queue(8);
    let jobs = vec![item_of(1, "a"), item(2, &THREE), item_of(3, "b"), item(4, &HUNDRED), item_of(5, "a")];
    let begun = Slots::take(&queue, 8, 0).begin(jobs);
    assert_eq!(turns(&begun), [[1, 5]]);
    let mut gathered = due(&queue);
    gathered.sort_unstable();
    assert_eq!(gathered, [[2], [3], [4]]);
}

#[test]
fn claims_exceed_the_slots_by_jobs_in_a_row() {
    let (queue, now) = (queue(2), Instant::now());
    let room = || queue.room(now);
    assert_eq!(room(), Room { slots: 2, ahead: 0 }, "no job of such a kind was seen");
    assert!(Slots::take(&queue, 2, 0).begin(items(1..=2, &HUNDRED)).is_empty());
    assert_eq!(room(), Room { slots: 1, ahead: 2 });
    let claim = Slots::take(&queue, 1, 2);
    assert_eq!(room(), Room { slots: 0, ahead: 0 }, "a claim is in flight");
    assert!(claim.begin(items(3..=5, &HUNDRED)).is_empty());
    assert_eq!(room(), Room { slots: 1, ahead: 5 });
    assert!(Slots::take(&queue, 1, 5).begin(items(6..=98, &HUNDRED)).is_empty());
    let begun = Slots::take(&queue, 1, 98).begin(items(99..=101, &HUNDRED));
    assert_eq!((begun.len(), room()), (1, Room { slots: 0, ahead: 99 }), "the second call has one job");
    let (_, other) = begin(Slots::take(&queue, 0, 99), vec![job(102, 1)]);
    assert_eq!((other.len(), room().ahead), (0, 0), "other jobs would wait for a slot");
}

#[test]
fn job_that_must_not_wait_keeps_claims_to_free_slots() {
    let queue = queue(2);
    assert!(Slots::take(&queue, 2, 0).begin(items(1..=50, &HUNDRED)).is_empty());
    assert_eq!(queue.room(Instant::now()).ahead, 50);
    queue.occupancy().met_unprefetchable(Instant::now());
    drop(Slots::take(&queue, 1, 0).begin(items(51..=549, &HUNDRED)));
    assert_eq!(queue.room(Instant::now()).ahead, 0, "too few with `batch` have come since");
    drop(Slots::take(&queue, 1, 0).begin(items(550..=560, &HUNDRED)));
    assert_eq!(queue.room(Instant::now()).ahead, 10);
}

#[test]
fn waiting_jobs_get_the_slots_of_calls_that_only_gather() {
    let queue = queue(4);
    let keys = ["a", "b", "c", "d", "e"];
    let jobs = keys.iter().zip(1..).map(|(key, ticket)| item_of(ticket, key));
    let mut begun = Slots::take(&queue, 4, 1).begin(jobs);
    let mut begun_early = turns(&begun);
    begun_early.sort_unstable();
    assert_eq!((begun_early.len(), queue.occupancy().gathering.count()), (2, 2), "half of the slots gather");
    let (slot, _) = begun.pop().unwrap();
    assert!(slot.pass_on().is_none(), "the last job opens a call, and none waits any more");
    assert_eq!(queue.occupancy().gathering.count(), 3);
    assert_eq!(queue.count_free(), 0);
}

#[test]
fn call_takes_those_that_wait_for_a_slot() {
    let queue = queue(1);
    let (_, mut slots) = begin(Slots::take(&queue, 1, 0), vec![job(1, 1)]);
    assert!(Slots::take(&queue, 0, 9).begin(items(2..=5, &THREE)).is_empty());
    let (slot, turn) = slots.pop().unwrap().pass_on().unwrap();
    assert_eq!(tickets(&turn), [2, 3, 4]);
    assert!(slot.pass_on().is_none() && queue.count_free() == 0, "the last one gathers");
    assert_eq!(due(&queue), [[5]]);
}

#[test]
fn gathered_jobs_are_taken_back_and_their_slots_are_free() {
    let queue = queue(2);
    let mut jobs = items(1..=3, &HUNDRED);
    let id = JobId::new();
    jobs[1].job.id = id;
    assert!(Slots::take(&queue, 2, 0).begin(jobs).is_empty());
    assert_eq!(queue.occupancy().remove(id).unwrap().job.ticket, Ticket(2));
    assert_eq!(queue.occupancy().take_waiting().len(), 2);
    assert_eq!(queue.count_free(), 2);
}
