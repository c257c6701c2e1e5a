//! The pauses of the claim loop after errors that are not caused by a single lane.

use std::time::{Duration, Instant};

use pgjobq_core::DatabaseError;

use super::requests::Failed;
use crate::pause::Pause;

/// The time after an error when the claim loop tries again, if another task of the process has reached the database.
const RETRY_AFTER_OTHERS: Duration = Duration::from_millis(100);

/// The pauses of the claim loop. An outage pauses everything, claims included. Other errors pause the failed kind of request alone.
#[derive(Debug, Default)]
pub(super) struct Outages {
    pub(super) everything: Outage,
    pub(super) looks: Outage,
    pub(super) announcements: Outage,
}

/// The kinds of requests besides claims.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Look,
    Announcement,
}

/// A pause that grows with each error.
#[derive(Debug)]
pub(super) struct Outage {
    until: Option<Instant>,
    began: Instant,
    pause: Pause,
}

impl Outages {
    pub(super) fn of(&mut self, kind: Kind) -> &mut Outage {
        match kind {
            Kind::Look => &mut self.looks,
            Kind::Announcement => &mut self.announcements,
        }
    }

    /// Notes that a request of this kind failed.
    pub(super) fn failed(&mut self, kind: Kind, failed: &Failed) {
        self.of(kind).failed();
        if affects_every_lane(failed) {
            self.everything.failed();
        }
    }
}

/// Returns whether this error would meet the claims of every lane: no connection, or no permission.
pub(super) fn affects_every_lane(failed: &Failed) -> bool {
    match failed {
        Failed::TimedOut => false,
        Failed::Database(error) => !matches!(error, DatabaseError::Refused(_)),
    }
}

impl Default for Outage {
    fn default() -> Self {
        Self { until: None, began: Instant::now(), pause: Pause::new() }
    }
}

impl Outage {
    pub(super) fn failed(&mut self) {
        self.began = Instant::now();
        self.until = Some(self.began + self.pause.after_error());
    }

    /// Ends the pause: the database has answered such a request.
    pub(super) fn answered(&mut self) {
        self.until = None;
        self.pause.reset();
    }

    /// Shortens the pause: the database has answered another task, so it may answer this one.
    pub(super) fn others_got_through(&mut self) {
        self.until = self.until.map(|until| until.min(self.began + RETRY_AFTER_OTHERS));
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Error::RowNotFound;

    use super::*;

    #[test]
    fn success_elsewhere_ends_the_pause_but_never_spins() {
        let mut outage = Outage::default();
        for _ in 0..20 {
            outage.failed();
        }
        let now = Instant::now();
        assert!(!outage.is_over(now + Duration::from_secs(1)));
        outage.others_got_through();
        assert!(!outage.is_over(now) && outage.is_over(now + RETRY_AFTER_OTHERS));
        outage.answered();
        assert!(outage.is_over(now));
    }

    #[test]
    fn refused_announcement_pauses_only_announcements() {
        let (mut outages, now) = (Outages::default(), Instant::now());
        let refused = Failed::Database(DatabaseError::Refused(RowNotFound));
        outages.failed(Kind::Announcement, &refused);
        outages.failed(Kind::Announcement, &Failed::TimedOut);
        assert!(!outages.announcements.is_over(now));
        assert!(outages.looks.is_over(now) && outages.everything.is_over(now));
    }

    #[test]
    fn outage_seen_by_a_look_pauses_everything() {
        let (mut outages, now) = (Outages::default(), Instant::now());
        outages.failed(
            Kind::Look,
            &Failed::Database(DatabaseError::Unavailable { at: None, error: RowNotFound }),
        );
        assert!(!outages.looks.is_over(now) && !outages.everything.is_over(now));
        assert!(outages.announcements.is_over(now));
    }
}
