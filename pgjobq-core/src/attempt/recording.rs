//! The progress of an attempt that completes its job in its own transaction.

use std::sync::atomic::{AtomicU8, Ordering};

/// The progress of an attempt that completes its job in its own transaction.
#[derive(Debug, Default)]
#[doc(hidden)]
pub struct Recording(AtomicU8);

const BEGUN: u8 = 1;
const COMMITTED: u8 = 2;
const AWAITED: u8 = 4;
const HAS_CHILDREN: u8 = 8;

/// The state of a completion in the attempt's own transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Completion {
    NotBegun,
    /// The statement was sent: its transaction may commit at any time, or may have done so.
    InDoubt,
    /// The transaction has committed.
    Committed {
        /// Set if a process waits for jobs to end.
        awaited: bool,
        /// Set if the job is a step, or other jobs wait for it.
        has_children: bool,
    },
}

impl Recording {
    /// Returns whether the attempt has completed its job by itself.
    #[must_use]
    pub fn completion(&self) -> Completion {
        let flags = self.0.load(Ordering::Acquire);
        match (flags & BEGUN, flags & COMMITTED) {
            (_, COMMITTED) => Completion::Committed {
                awaited: flags & AWAITED != 0,
                has_children: flags & HAS_CHILDREN != 0,
            },
            (BEGUN, _) => Completion::InDoubt,
            _ => Completion::NotBegun,
        }
    }

    pub(super) fn begin(&self) {
        self.set(BEGUN);
    }

    pub(super) fn commit(&self) {
        self.set(COMMITTED);
    }

    pub(super) fn note_children(&self) {
        self.set(HAS_CHILDREN);
    }

    pub(super) fn note_awaited(&self) {
        self.set(AWAITED);
    }

    fn set(&self, flag: u8) {
        self.0.fetch_or(flag, Ordering::AcqRel);
    }
}
