//! Turns at the database, so that a dashboard that many look at leaves connections to the application.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::problem::Problem;

/// The turns of all users. Each user has one at a time, if users are known.
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    /// The turn of each user who has it or waits for it; `None` if users are not known.
    own: Option<Mutex<HashMap<String, Weak<Semaphore>>>>,
}

/// A turn at the database. It ends when this is dropped.
pub(crate) struct Turn {
    _own: Option<OwnedSemaphorePermit>,
    _of_all: OwnedSemaphorePermit,
}

impl Turns {
    /// Makes this many turns, of which each user has one at a time if users are known.
    pub(crate) fn new(most: usize, users_are_known: bool) -> Self {
        Self { all: Arc::new(Semaphore::new(most)), own: users_are_known.then(Mutex::default) }
    }

    /// Waits at most this long for a turn.
    pub(crate) async fn next(&self, user: &str, longest: Duration) -> Result<Turn, Problem> {
        let until = Instant::now() + longest;
        // A user who waits for the own turn keeps none of the others from theirs.
        let own = match &self.own {
            Some(own) => Some(acquire(own_turn(own, user), until).await.ok_or(Problem::OwnTurn)?),
            None => None,
        };
        let of_all = acquire(Arc::clone(&self.all), until).await.ok_or(Problem::Busy)?;
        Ok(Turn { _own: own, _of_all: of_all })
    }
}

async fn acquire(turns: Arc<Semaphore>, until: Instant) -> Option<OwnedSemaphorePermit> {
    timeout_at(until, turns.acquire_owned()).await.ok()?.ok()
}

/// Returns the one turn of a user, and forgets users who neither have nor want theirs.
fn own_turn(own: &Mutex<HashMap<String, Weak<Semaphore>>>, user: &str) -> Arc<Semaphore> {
    let mut own = own.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(turn) = own.get(user).and_then(Weak::upgrade) {
        return turn;
    }
    own.retain(|_, turn| turn.strong_count() > 0);
    let turn = Arc::new(Semaphore::new(1));
    own.insert(user.to_owned(), Arc::downgrade(&turn));
    turn
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn user_has_one_turn_and_leaves_the_others() {
        let turns = Turns::new(2, true);
        let ada = turns.next("ada", LONG).await.unwrap();
        assert!(matches!(turns.next("ada", Duration::ZERO).await, Err(Problem::OwnTurn)));
        let _bob = turns.next("bob", LONG).await.unwrap();
        assert!(matches!(turns.next("eve", Duration::ZERO).await, Err(Problem::Busy)));
        drop(ada);
        let ada = turns.next("ada", LONG).await.unwrap();
        drop(ada);
        let _eve = turns.next("eve", LONG).await.unwrap();
        assert_eq!(turns.own.unwrap().lock().unwrap().len(), 2, "users without a turn are forgotten");
    }

    #[tokio::test]
    async fn unknown_users_share_all_turns() {
        let turns = Turns::new(2, false);
        let _two = (turns.next("everyone", LONG).await.unwrap(), turns.next("everyone", LONG).await.unwrap());
        assert!(matches!(turns.next("everyone", Duration::ZERO).await, Err(Problem::Busy)));
    }
}
