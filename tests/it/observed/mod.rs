//! Observers learn of everything that happens, once, and cannot hurt anybody.

mod ends; // Jobs that end without an attempt.
mod events; // A scenario for each event.
mod hurting; // Observers that panic, block or enqueue.
mod plans; // Samples of plans.
mod refused; // Roles that may not explain statements.
mod statements; // Hooks see each statement.
mod troubles; // Lost leases, crashes and outages.
mod waits; // The wait of an attempt.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgjobq::observe::{Ended, Event, Outcome};
use pgjobq::prelude::*;
use pgjobq::{ClientBuilder, WorkerBuilder};

use crate::harness::{PATIENCE, TestDb};

/// The events that a client has emitted.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<Event>>>);

impl Seen {
    pub(crate) fn note(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }

    pub(crate) fn all(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, is: impl Fn(&Event) -> bool) -> usize {
        self.all().iter().filter(|event| is(event)).count()
    }

    pub(crate) fn ended(&self) -> Vec<Ended> {
        let ended = |event| match event {
            Event::Ended(ended) => Some(ended),
            _ => None,
        };
        self.all().into_iter().filter_map(ended).collect()
    }

    /// Returns the outcomes of one job, in their order.
    pub(crate) fn outcomes(&self, job: JobId) -> Vec<Outcome> {
        self.ended().iter().filter(|ended| ended.job.id == job).map(|ended| ended.outcome).collect()
    }

    /// Waits until there is such an event.
    pub(crate) async fn until(&self, is: impl Fn(&Event) -> bool) {
        let seen = async {
            while self.count(&is) == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, seen).await.expect("the event comes");
    }
}

/// Returns a client of the database that is observed, and its events.
pub(crate) fn observed(db: &TestDb) -> (Client, Seen) {
    observed_by(Client::builder(db.pool.clone()))
}

pub(crate) fn observed_by(builder: ClientBuilder) -> (Client, Seen) {
    let seen = Seen::default();
    let noting = seen.clone();
    (builder.observer(move |event: &Event| noting.note(event)).build().unwrap(), seen)
}

/// The same as [`TestDb::worker`], for another client.
pub(crate) fn worker(client: &Client) -> WorkerBuilder {
    Worker::builder(client)
        .queue("default", 20)
        .heartbeat(Duration::from_millis(200))
        .lease(Duration::from_secs(30))
        .claim_timeout(Duration::from_secs(2))
        .poll_interval(Duration::from_millis(200))
        .grace(Duration::from_secs(5))
}
