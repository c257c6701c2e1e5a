#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use pgjobq_core::JobId;
use pgjobq_core::worker_api::{ClaimedJob, Lane, LeaseId, LeaseKey, Meta, QueueId, Shard, Ticket, WorkerId};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::leases::Lease;
use crate::served_queue::Room;

fn queue(limit: usize) -> Arc<ServedQueue> {
    Arc::new(ServedQueue::new(QueueId(1), "default", limit, Arc::default()))
}

fn job(ticket: i64, priority: i16) -> PrefetchedJob {
    let lane = Lane { shard: Shard(0), queue: QueueId(1) };
    let key = LeaseKey { lane, priority, max_ticket: Ticket(99), id: LeaseId(1) };
    let lease = Lease::new(key, WorkerId(1), &mut [], CancellationToken::new());
    let job = ClaimedJob {
        id: JobId::new(),
        kind: "mail".into(),
        args: None,
        priority,
        ticket: Ticket(ticket),
        address: None,
        attempts: 0,
        failures: 0,
        retries: 0,
        limits: Vec::new(),
        is_rated: false,
        max_crashes: 3,
        due: None,
        meta: Meta::default(),
    };
    PrefetchedJob::new(job, Arc::new(lease), Instant::now())
}

/// Returns the tickets of jobs that begin, and their slots.
fn begin(slots: Slots, jobs: Vec<PrefetchedJob>) -> (Vec<i64>, Vec<Slots>) {
    slots.begin(jobs).into_iter().map(|(slot, job)| (job.job.ticket.0, slot)).unzip()
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
        let (passed_on, job) = slot.pass_on().unwrap();
        assert_eq!(job.job.ticket, Ticket(ticket));
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
    assert_eq!(next.job.ticket.0, 4);
    queue.set_limit(3);
    assert_eq!((queue.limit(), queue.count_free()), (3, 1));
}
