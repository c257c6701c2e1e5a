//! The receivers of one kind of thing.

use std::fmt;
use std::sync::Arc;

use super::delivery::{Delivery, Sink};

/// The receivers of one kind of thing, each with a thread of its own. Cheap to clone.
pub struct Receivers<T>(Option<Arc<Delivery<T>>>);

impl<T: Send + Sync + 'static> Receivers<T> {
    /// Starts their threads.
    pub(crate) fn start(name: &str, sinks: Vec<impl Sink<T>>) -> Self {
        Self((!sinks.is_empty()).then(|| Arc::new(Delivery::start(name, sinks))))
    }

    /// Returns whether somebody listens.
    #[must_use]
    #[inline]
    pub fn listen(&self) -> bool {
        self.0.is_some()
    }

    /// Emits what `make` adds to a list, if somebody listens.
    #[inline]
    pub fn emit(&self, make: impl FnOnce(&mut Vec<T>)) {
        if let Some(receivers) = &self.0 {
            let mut items = Vec::new();
            make(&mut items);
            if !items.is_empty() {
                receivers.push(items);
            }
        }
    }

    /// Emits one thing, if somebody listens.
    #[inline]
    pub fn emit_one(&self, make: impl FnOnce() -> T) {
        if let Some(receivers) = &self.0 {
            receivers.push_one(make());
        }
    }

    /// Waits until every receiver has seen everything that was emitted before.
    pub async fn delivered(&self) {
        if let Some(receivers) = &self.0 {
            receivers.delivered().await;
        }
    }
}

impl<T> Clone for Receivers<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Receivers<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> fmt::Debug for Receivers<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} receivers", self.0.as_ref().map_or(0, |receivers| receivers.receivers()))
    }
}
