//! The places of transactional jobs, as a worker takes them.

use crate::client::Client;
use crate::db::tx_pool::Places;

impl Client {
    /// Takes free places for transactional jobs, at most `most`.
    #[doc(hidden)]
    #[must_use]
    pub fn take_places(&self, most: usize) -> Option<Places> {
        self.shared().transactions.take_places(most)
    }

    /// Returns whether a transactional job would get a place.
    #[doc(hidden)]
    #[must_use]
    pub fn has_places(&self) -> bool {
        self.free_places() > 0
    }

    /// Returns how many transactional jobs would get a place.
    #[doc(hidden)]
    #[must_use]
    pub fn free_places(&self) -> usize {
        self.shared().transactions.places.available_permits()
    }

    /// Waits for a place for a transactional job; `None` if the client was closed.
    #[doc(hidden)]
    pub async fn place(&self) -> Option<Places> {
        self.shared().transactions.place().await.ok()
    }
}
