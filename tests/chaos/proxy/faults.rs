//! What is wrong with the network just now. Everything can be switched while connections are open.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// What is wrong with a network just now: at first nothing.
#[derive(Default)]
pub(crate) struct Faults {
    link: watch::Sender<Link>,
    /// Connections with a number below these are lost without a word, or reset.
    lost_below: watch::Sender<u64>,
    reset_below: watch::Sender<u64>,
    connections: AtomicU64,
    delay_micros: AtomicU64,
    /// How much passes over each connection in each direction; 0 is all there is.
    bytes_per_second: AtomicU64,
    /// After so many answers nothing passes any more.
    answers_left: Mutex<Option<u32>>,
    drops_notifications: AtomicBool,
    cut: Mutex<Option<Cut>>,
    pub(crate) counts: Counts,
}

/// What has happened to the messages of a network.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) cut_before: AtomicU64,
    /// Statements that were carried out and whose answer was lost.
    pub(crate) cut_after: AtomicU64,
    pub(crate) notifications_dropped: AtomicU64,
    pub(crate) connections_reset: AtomicU64,
}

/// What passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Link {
    #[default]
    Everything,
    /// Requests, and no answers.
    Requests,
    Nothing,
}

/// Breaks the next connections that do this.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) moment: Moment,
    pub(crate) verb: Verb,
    pub(crate) times: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The server never hears that the statement is complete, and undoes what it has of it.
    Before,
    /// The server has committed it, and nobody hears of that.
    After,
}

/// What a statement does, as far as it matters here.
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

    /// From now on nothing passes over the connections that there are, and nobody is told.
    pub(crate) fn lose_connections(&self) {
        self.lost_below.send_replace(self.connections.load(Ordering::SeqCst));
    }

    /// Breaks the connections that there are.
    pub(crate) fn reset_connections(&self) {
        self.reset_below.send_replace(self.connections.load(Ordering::SeqCst));
    }

    pub(crate) fn set_delay(&self, delay: Duration) {
        self.delay_micros.store(delay.as_micros() as u64, Ordering::SeqCst);
    }

    pub(crate) fn set_bytes_per_second(&self, bytes: u64) {
        self.bytes_per_second.store(bytes, Ordering::SeqCst);
    }

    /// Lets so many more answers arrive. The one after them is carried out and not heard, and then nothing passes any more.
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

    /// How many of the ordered cuts have not come about.
    pub(crate) fn cuts_left(&self) -> u32 {
        self.cut().map_or(0, |cut| cut.times)
    }

    pub(super) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::SeqCst)
    }

    pub(super) fn delay(&self) -> Duration {
        Duration::from_micros(self.delay_micros.load(Ordering::SeqCst))
    }

    /// How long this many bytes take.
    pub(super) fn passage(&self, bytes: usize) -> Duration {
        match self.bytes_per_second.load(Ordering::SeqCst) {
            0 => Duration::ZERO,
            speed => Duration::from_micros(bytes as u64 * 1_000_000 / speed),
        }
    }

    /// Falls silent if this answer is not to arrive; counts it when it is complete.
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

    /// Whether, and when, the connection is to be cut that is about to send this.
    pub(super) fn take_cut(&self, verb: Verb) -> Option<Moment> {
        let mut cut = self.cut();
        let armed = cut.as_mut().filter(|cut| cut.verb == verb && cut.times > 0)?;
        armed.times -= 1;
        Some(armed.moment)
    }

    /// Returns when a message may pass: never, on a connection that is lost.
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
