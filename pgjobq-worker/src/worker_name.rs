//! The worker's name, as the database can store it.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use pgjobq_core::worker_api::to_ascii;

/// The worker's name. It is escaped once the database's encoding has turned out to lack one of its characters.
#[derive(Debug)]
pub(crate) struct WorkerName {
    name: String,
    is_escaped: AtomicBool,
}

impl WorkerName {
    pub(crate) fn new(name: String) -> Self {
        Self { name, is_escaped: AtomicBool::new(false) }
    }

    /// Returns the name as the database can store it.
    pub(crate) fn storable(&self) -> Cow<'_, str> {
        match self.is_escaped.load(Ordering::Relaxed) {
            true => to_ascii(&self.name).map_or(Cow::Borrowed(&*self.name), Cow::Owned),
            false => Cow::Borrowed(&self.name),
        }
    }

    /// Escapes the name from now on. Returns false if that changes nothing.
    pub(crate) fn escape(&self) -> bool {
        !self.name.is_ascii() && !self.is_escaped.swap(true, Ordering::Relaxed)
    }
}
