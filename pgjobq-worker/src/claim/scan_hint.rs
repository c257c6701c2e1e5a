//! The scan hint of a lane: a guess of where its waiting jobs begin, so that a claim need not pass the dead index entries of all
//! earlier jobs.
//!
//! The hint carries no correctness. If jobs wait below it, they are delayed until the sweep finds them.

use std::time::{Duration, Instant};

use pgjobq_core::worker_api::{ByPriority, PRIORITIES, Peeked, Ticket};

use super::portion::CLAIM_BATCH_SIZE;
use crate::pause::jittered;

/// The distance between the hint and the last ticket that was scanned: room for transactions that commit out of order.
const SLACK: i64 = 500 + 2 * CLAIM_BATCH_SIZE as i64;
/// The same of a worker with a filter, whose claims and looks read all jobs in it again each time, because those of others stay. The
/// sweep finds what commits later.
const SLACK_WITH_FILTER: i64 = CLAIM_BATCH_SIZE as i64;
/// The least time between two sweeps of one lane.
const SWEEP_INTERVAL: Duration = Duration::from_millis(250);
/// Above every ticket.
pub(super) const TOP: ByPriority = [Ticket(i64::MAX); PRIORITIES];
/// Below every ticket.
pub(super) const BOTTOM: ByPriority = [Ticket(0); PRIORITIES];

/// Tickets that a look has found, with their priorities.
pub(crate) type Found = Vec<(Ticket, i16)>;

/// A guess of where the waiting jobs of a lane begin, for each priority.
#[derive(Debug)]
pub(crate) struct ScanHint {
    hint: ByPriority,
    slack: i64,
    /// The tickets up to which the sweep has come, on its way from zero to the hint.
    swept_to: ByPriority,
    next_sweep: Instant,
    /// Tickets that a look has found, for the next claim to name.
    found: Option<Found>,
    /// True if other workers were quicker to claim the tickets that were found here.
    is_contended: bool,
    /// The hint when jobs were left because no place for a transaction was free.
    without_place: Option<ByPriority>,
}

impl ScanHint {
    pub(crate) fn new(has_filter: bool, now: Instant) -> Self {
        Self {
            hint: BOTTOM,
            slack: if has_filter { SLACK_WITH_FILTER } else { SLACK },
            swept_to: BOTTOM,
            next_sweep: now + jittered(SWEEP_INTERVAL),
            found: None,
            is_contended: false,
            without_place: None,
        }
    }

    /// Returns the range of tickets that a look ahead scans.
    pub(crate) fn ahead(&self) -> (ByPriority, ByPriority) {
        (self.hint, TOP)
    }

    /// Returns the range of tickets that the sweep has not scanned yet.
    pub(crate) fn below(&self) -> (ByPriority, ByPriority) {
        (self.swept_to, self.hint)
    }

    pub(crate) fn sweep_is_due(&self, now: Instant) -> bool {
        now >= self.next_sweep && self.hint != BOTTOM
    }

    /// Returns where the next claim of at most `want` jobs walks from, and the tickets that it names, if any. If there are more of
    /// these, none is named: the hint moves down to them instead, so that this claim and later ones find all.
    pub(crate) fn next_walk(&mut self, want: usize) -> (ByPriority, Option<Found>) {
        let found = self.found.take();
        let found = if self.is_contended { found.map(half) } else { found };
        match found {
            Some(found) if found.len() > want => {
                self.move_down_to(&found);
                (self.hint, None)
            }
            found => (self.hint, found),
        }
    }

    /// Keeps the tickets of a claim that did not come to look for them.
    pub(crate) fn not_named(&mut self, found: Option<Found>) {
        self.found = self.found.take().or(found);
    }

    /// Notes how many of the named tickets a claim got. Another worker may have looked at the same moment and been quicker.
    pub(crate) fn named(&mut self, named: usize, got: usize) {
        self.is_contended = got < named;
    }

    /// Moves the hint up to the scanned tickets. If those are below the hint, the sequence of tickets was set back: then the hint
    /// moves down, because nothing waits above.
    pub(crate) fn advance(&mut self, scanned_to: ByPriority) {
        for (hint, scanned_to) in self.hint.iter_mut().zip(scanned_to) {
            let behind = Ticket((scanned_to.0 - self.slack).max(0));
            *hint = if scanned_to < *hint { behind } else { behind.max(*hint) };
        }
    }

    /// Begins at the start of the line again: jobs that were passed over may be claimed now.
    pub(crate) fn restart(&mut self) {
        (self.hint, self.swept_to) = (BOTTOM, BOTTOM);
    }

    /// Notes that jobs were left because no place for their transactions was free.
    pub(crate) fn left_without_place(&mut self) {
        let left = self.without_place.get_or_insert(self.hint);
        left.iter_mut().zip(self.hint).for_each(|(left, hint)| *left = (*left).min(hint));
    }

    /// Moves the hint down to jobs that were left without a place. Returns whether there are any.
    pub(crate) fn place_is_free(&mut self) -> bool {
        let Some(left) = self.without_place.take() else { return false };
        self.hint.iter_mut().zip(left).for_each(|(hint, left)| *hint = (*hint).min(left));
        true
    }

    /// Notes how far a sweep has come. It continues there the next time, and begins again at zero when it has reached the hint.
    pub(crate) fn swept(&mut self, scanned_to: ByPriority, now: Instant) {
        self.next_sweep = now + jittered(SWEEP_INTERVAL);
        self.swept_to = scanned_to;
        if self.swept_to.iter().zip(self.hint).all(|(swept, hint)| *swept >= hint) {
            self.swept_to = BOTTOM;
        }
    }

    /// Keeps the found tickets for the next claim to name. After a full batch, the hint moves down to them instead.
    pub(crate) fn take_found(&mut self, peeked: Peeked) {
        if peeked.found.len() >= CLAIM_BATCH_SIZE {
            self.move_down_to(&peeked.found);
        } else {
            self.found = Some(peeked.found);
        }
    }

    fn move_down_to(&mut self, found: &Found) {
        for (ticket, priority) in found {
            let hint = &mut self.hint[*priority as usize];
            *hint = (*hint).min(Ticket(ticket.0 - 1));
        }
        self.swept_to = BOTTOM;
    }
}

/// Picks a random half of the tickets, so that workers that look at the same moment collide less.
fn half(mut found: Found) -> Found {
    fastrand::shuffle(&mut found);
    found.truncate(found.len().div_ceil(2));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(tickets: std::ops::Range<i64>) -> Peeked {
        Peeked { found: tickets.map(|ticket| (Ticket(ticket), 1)).collect(), ..Peeked::default() }
    }

    #[test]
    fn too_many_found_tickets_move_the_hint_down() {
        let mut scan = ScanHint { hint: [Ticket(5000); PRIORITIES], ..ScanHint::new(false, Instant::now()) };
        scan.take_found(seen(100..140));
        let from = [5000, 99, 5000, 5000].map(Ticket);
        assert_eq!(scan.next_walk(10), (from, None), "this claim begins at the found tickets");
        assert_eq!(scan.hint, from, "and so do the next ones");
        let mut scan = ScanHint { hint: [Ticket(5000); PRIORITIES], ..ScanHint::new(false, Instant::now()) };
        scan.take_found(seen(100..110));
        assert_eq!(scan.next_walk(10).1.map(|found| found.len()), Some(10));
        assert_eq!(scan.hint, [Ticket(5000); PRIORITIES]);
    }

    #[test]
    fn tickets_of_a_failed_claim_are_named_again() {
        let mut scan = ScanHint::new(false, Instant::now());
        scan.take_found(seen(100..110));
        let (_, named) = scan.next_walk(10);
        assert!(named.is_some() && scan.next_walk(10).1.is_none());
        scan.not_named(named.clone());
        assert_eq!(scan.next_walk(10).1, named);
    }
}
