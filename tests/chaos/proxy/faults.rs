//! The current faults of a network. All of them can be switched while connections are open.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// The current faults of a network: none at first.
#[derive(Default)]
pub(crate) struct Faults {
    link: watch::Sender<Link>,
    /// Connections with a number below these are silently lost, or reset.
    lost_below: watch::Sender<u64>,
    reset_below: watch::Sender<u64>,
    connections: AtomicU64,
    delay_micros: AtomicU64,
    /// The bytes per second over each connection in each direction; 0 means no limit.
    bytes_per_second: AtomicU64,
    /// After this many answers nothing passes any more.
    answers_left: Mutex<Option<u32>>,
    drops_notifications: AtomicBool,
    cut: Mutex<Option<Cut>>,
    pub(crate) counts: Counts,
}

/// Counts of what has happened to the messages of a network.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) cut_before: AtomicU64,
    /// Statements that were executed, and whose answer was lost.
    pub(crate) cut_after: AtomicU64,
    pub(crate) notifications_dropped: AtomicU64,
    pub(crate) connections_reset: AtomicU64,
}

/// The directions in which messages pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Link {
    #[default]
    Everything,
    /// Requests pass, answers do not.
    Requests,
    Nothing,
}

/// Breaks the next connections that send such a statement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) moment: Moment,
    pub(crate) verb: Verb,
    pub(crate) times: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The server never receives the end of the statement, and rolls back.
    Before,
    /// The server has committed the statement, and the answer is lost.
    After,
}

/// The purpose of a statement, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Enqueue,
    Claim,
    Finish,
    Heartbeat,
    Commit,
    Other,
}

impl Verb {
    pub(crate) fn of(sql: &str) -> Self {
        let verbs = [
            ("pgjobq.enqueue", Self::Enqueue),
            ("pgjobq.claim", Self::Claim),
            ("pgjobq.finish", Self::Finish),
            ("pgjobq.heartbeat", Self::Heartbeat),
        ];
        match verbs.iter().find(|(name, _)| sql.contains(name)) {
            Some((_, verb)) => *verb,
            None if sql.trim_start().to_ascii_lowercase().starts_with("commit") => Self::Commit,
            None => Self::Other,
        }
    }
}

impl Faults {
    pub(crate) fn set_link(&self, link: Link) {
        self.link.send_replace(link);
    }

    /// From now on nothing passes over the existing connections. Neither end learns of it.
    pub(crate) fn lose_connections(&self) {
        self.lost_below.send_replace(self.connections.load(Ordering::SeqCst));
    }

    /// Breaks the existing connections.
    pub(crate) fn reset_connections(&self) {
        self.reset_below.send_replace(self.connections.load(Ordering::SeqCst));
    }

    pub(crate) fn set_delay(&self, delay: Duration) {
        self.delay_micros.store(delay.as_micros() as u64, Ordering::SeqCst);
    }

    pub(crate) fn set_bytes_per_second(&self, bytes: u64) {
        self.bytes_per_second.store(bytes, Ordering::SeqCst);
    }

    /// Lets this many more answers arrive. The next statement is executed and its answer lost; then nothing passes any
    /// more.
    pub(crate) fn fall_silent_after(&self, answers: u32) {
        *self.answers_left.lock().unwrap_or_else(PoisonError::into_inner) = Some(answers);
    }

    /// Returns when nothing passes any more.
    pub(crate) async fn silent(&self) {
        let _ = self.link.subscribe().wait_for(|link| *link == Link::Nothing).await;
    }

    pub(crate) fn drop_notifications(&self, drop: bool) {
        self.drops_notifications.store(drop, Ordering::SeqCst);
    }

    pub(crate) fn set_cut(&self, cut: Option<Cut>) {
        *self.cut() = cut;
    }

    /// The number of ordered cuts that have not happened yet.
    pub(crate) fn cuts_left(&self) -> u32 {
        self.cut().map_or(0, |cut| cut.times)
    }

    pub(super) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::SeqCst)
    }

    pub(super) fn delay(&self) -> Duration {
        Duration::from_micros(self.delay_micros.load(Ordering::SeqCst))
    }

    /// The time that this many bytes take.
    pub(super) fn passage(&self, bytes: usize) -> Duration {
        match self.bytes_per_second.load(Ordering::SeqCst) {
            0 => Duration::ZERO,
            speed => Duration::from_micros(bytes as u64 * 1_000_000 / speed),
        }
    }

    /// Falls silent if this answer must not arrive; counts it when it is complete.
    pub(super) fn note_answer(&self, complete: bool) {
        let mut left = self.answers_left.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *left {
            Some(0) => self.set_link(Link::Nothing),
            Some(left) if complete => *left -= 1,
            _ => {}
        }
    }

    pub(super) fn drops_notifications(&self) -> bool {
        self.drops_notifications.load(Ordering::SeqCst)
    }

    /// Decides whether, and when, to cut the connection that is about to send this message.
    pub(super) fn take_cut(&self, verb: Verb) -> Option<Moment> {
        let mut cut = self.cut();
        let armed = cut.as_mut().filter(|cut| cut.verb == verb && cut.times > 0)?;
        armed.times -= 1;
        Some(armed.moment)
    }

    /// Waits until a message may pass. Never returns on a lost connection.
    pub(super) async fn may_pass(&self, connection: u64, answer: bool) {
        let mut link = self.link.subscribe();
        let passes = |link: &Link| match link {
            Link::Everything => true,
            Link::Requests => !answer,
            Link::Nothing => false,
        };
        let _ = link.wait_for(passes).await;
        if *self.lost_below.borrow() > connection {
            std::future::pending::<()>().await;
        }
    }

    /// Returns when the connection is reset.
    pub(super) async fn reset(&self, connection: u64) {
        let _ = self.reset_below.subscribe().wait_for(|below| *below > connection).await;
    }

    /// Returns when the connection is lost.
    pub(super) async fn lost(&self, connection: u64) {
        let _ = self.lost_below.subscribe().wait_for(|below| *below > connection).await;
    }

    fn cut(&self) -> std::sync::MutexGuard<'_, Option<Cut>> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
