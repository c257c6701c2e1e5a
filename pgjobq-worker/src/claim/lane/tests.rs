#![allow(clippy::unwrap_used)]

use pgjobq_core::worker_api::{Opened, QueueId, Shard, Ticket};

use super::*;
use crate::slots::tests::claimed as claimed_job;

fn lane(now: Instant) -> LaneState {
    let queue = Arc::new(ServedQueue::new(QueueId(1), "default", 10, Arc::default()));
    LaneState::new(Lane { shard: Shard(0), queue: QueueId(1) }, queue, false, now)
}

#[test]
fn cut_walk_has_not_seen_the_end_of_the_line() {
    let (start, longest) = (Instant::now(), Duration::from_secs(5));
    let now = start + Duration::from_secs(60);
    for (cut, scanned_to) in [(false, [9000; 4]), (true, [9000, 5001, 9000, 9000])] {
        let scanned_to = scanned_to.map(Ticket);
        let mut lane = lane(start);
        lane.promise.make();
        lane.promise.claim_sent();
        lane.ask(now);
        let claimed =
            Claimed { jobs: Vec::new(), scanned_to, lane: Opened::Open, more: false, held_back: false };
        let asked = Asked { wanted: 10, named: None, notified_since: Some(start) };
        lane.claimed(&claimed, &asked, longest, now);
        assert_eq!(lane.promise.give_up(), cut, "others are notified");

        lane.idle_since = Some(start);
        lane.looked_ahead(Peeked { scanned_to, ..Peeked::default() }, longest, now);
        assert_eq!(lane.look_interval, if cut { FIRST_LOOK_INTERVAL } else { longest });
    }
}

#[test]
fn lane_rests_after_a_few_jobs_unless_work_arrived_somewhere() {
    let (start, longest) = (Instant::now(), Duration::from_secs(5));
    let now = start + Duration::from_secs(60);
    for arrived in [false, true] {
        let mut lane = lane(start);
        lane.wake();
        lane.ask(now);
        if arrived {
            lane.wake_to_look(now);
        }
        let scanned_to = [Ticket(9000); 4];
        let claimed = Claimed {
            jobs: vec![claimed_job(1, 1)],
            scanned_to,
            lane: Opened::Open,
            more: false,
            held_back: false,
        };
        lane.claimed(&claimed, &Asked { wanted: 10, named: None, notified_since: Some(start) }, longest, now);
        assert_eq!(lane.due() == Some(now), arrived);
    }
}

#[test]
fn paused_lane_is_looked_at_every_second_and_not_woken() {
    let (start, longest) = (Instant::now(), Duration::from_secs(5));
    let mut lane = lane(start);
    lane.wake();
    lane.ask(start);
    lane.was_paused(longest, start);
    lane.wake();
    lane.wake_to_look(start);
    let now = start + Duration::from_secs(60);
    let paused = Peeked { pauses: Pauses::Queue, ..Peeked::default() };
    for _ in 0..3 {
        assert!(lane.is_idle() && lane.next_look > now - Duration::from_secs(60));
        lane.looked_ahead(paused.clone(), longest, now);
        let wait = lane.due().unwrap() - now;
        assert!((Duration::from_millis(500)..Duration::from_secs(1)).contains(&wait), "{wait:?}");
    }
    lane.looked_ahead(Peeked { pauses: Pauses::Some, ..Peeked::default() }, longest, now);
    assert!(lane.due().unwrap() - now < Duration::from_secs(1), "a paused kind may be resumed");
}

#[test]
fn resumed_lane_looks_from_the_start_of_the_line() {
    let (now, longest) = (Instant::now(), Duration::from_secs(5));
    let high = [Ticket(9000); 4];
    let mut lane = lane(now);
    lane.looked_ahead(Peeked { pauses: Pauses::Some, scanned_to: high, ..Peeked::default() }, longest, now);
    assert_ne!(lane.ahead().low, [Ticket(0); 4], "it has passed over paused jobs");
    lane.looked_ahead(Peeked { scanned_to: high, ..Peeked::default() }, longest, now);
    assert_eq!((lane.ahead().low, lane.due()), ([Ticket(0); 4], Some(now)));

    // The answer of a claim that was sent before does not move the hint up again.
    lane.looked_ahead(Peeked { pauses: Pauses::Some, scanned_to: high, ..Peeked::default() }, longest, now);
    lane.ask(now);
    lane.resumed(now);
    lane.asked = false;
    let claimed =
        Claimed { jobs: Vec::new(), scanned_to: high, lane: Opened::Open, more: false, held_back: false };
    lane.claimed(&claimed, &Asked { wanted: 10, named: None, notified_since: None }, longest, now);
    assert_eq!((lane.ahead().low, lane.due()), ([Ticket(0); 4], Some(now)));
}

#[test]
fn idle_lane_is_due_after_its_pause_and_its_wait() {
    let now = Instant::now();
    let mut lane = lane(now);
    lane.failed(now);
    let paused = lane.due().unwrap();
    lane.looked_ahead(Peeked::default(), Duration::from_secs(60), now);
    assert!(lane.next_look > now && lane.due().unwrap() >= lane.next_look.max(paused));
    lane.retry_at = Some(now);
    assert_eq!(lane.due(), Some(lane.next_look), "a pause that is over hides no look");
    lane.wake();
    assert_eq!(lane.due(), Some(now));
}
