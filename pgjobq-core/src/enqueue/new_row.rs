//! A new job, not checked yet.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::enqueue::attributes::Attributes;
use crate::enqueue::edge::NewEdge;
use crate::enqueue::own_limit::OwnLimit;
use crate::enqueue::unique::NewUnique;
use crate::job::lineage::Meta;
use crate::job::place::Place;
use crate::job::policy::Policy;
use crate::{JobId, Priority};

/// A new job, not checked yet.
#[doc(hidden)]
pub struct NewRow {
    id: JobId,
    /// True if the caller has chosen the id. Otherwise its last bits follow from the key or the unique key.
    has_given_id: bool,
    pub(crate) kind: &'static str,
    pub(crate) queue: String,
    pub(crate) priority: Priority,
    pub(crate) retries: u16,
    pub(crate) max_crashes: u16,
    pub(crate) due: Due,
    pub(crate) expires_in: Option<Duration>,
    pub(crate) meta: Meta,
    pub(crate) attributes: Attributes,
    pub(crate) key: Option<String>,
    pub(crate) limit: OwnLimit,
    pub(crate) weight: Option<u32>,
    pub(crate) unique: NewUnique,
    /// The keys of `#[job]` whose values are computed from arguments that are not known yet, because they come from another step.
    pub(crate) unknown: Vec<&'static str>,
    /// The jobs that it waits for.
    pub(crate) edges: Vec<NewEdge>,
    /// True if nothing is kept of the job when it completes.
    pub(crate) unkept: bool,
    /// The arguments as JSON, or the error, which the enqueue then returns.
    pub(crate) args: Result<String, serde_json::Error>,
}

/// The time at which a job may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Now,
    In(Duration),
    At(SystemTime),
}

/// The values by which a new job is compared with others.
pub(crate) struct NewIdentity {
    pub(crate) id: JobId,
    /// The unique key as it is stored.
    pub(crate) unique_key: Option<String>,
}

impl NewRow {
    pub(crate) fn new(kind: &'static str, policy: &Policy, args: Result<String, serde_json::Error>) -> Self {
        Self {
            id: JobId::new(),
            has_given_id: false,
            kind,
            queue: policy.queue.to_owned(),
            priority: policy.priority,
            retries: policy.retries,
            max_crashes: policy.max_crashes,
            due: Due::Now,
            expires_in: None,
            meta: Meta::of(policy),
            attributes: Attributes::default(),
            key: None,
            limit: OwnLimit::of(policy),
            weight: None,
            unique: NewUnique::of(policy),
            unknown: Vec::new(),
            edges: Vec::new(),
            unkept: policy.keeps_nothing(),
            args,
        }
    }

    /// Returns the id that the job will have.
    pub(crate) fn id(&self) -> JobId {
        self.identity().id
    }

    /// Sets the id.
    pub(crate) fn give_id(&mut self, id: JobId) {
        (self.id, self.has_given_id) = (id, true);
    }

    /// Returns whether the caller has chosen the id.
    pub(crate) fn has_given_id(&self) -> bool {
        self.has_given_id
    }

    pub(crate) fn set_key(&mut self, key: String) {
        self.key = Some(key);
        self.unknown.retain(|unknown| *unknown != "key");
    }

    pub(crate) fn set_weight(&mut self, weight: u32) {
        self.weight = Some(weight);
        self.unknown.retain(|unknown| *unknown != "weight");
    }

    /// Returns the id and the unique key. All jobs that share a limit, or else a unique key, are on one shard; a job with a limit for
    /// each key is unique among those with its key, which are there.
    pub(crate) fn identity(&self) -> NewIdentity {
        let args = self.args.as_deref().unwrap_or_default();
        let key = self.limit.key(self.key.as_deref());
        let unique_key = self.unique.stored(key, args);
        let place = match &unique_key {
            _ if self.limit.is_set() => Some(Place::of(self.kind, key)),
            Some(unique_key) => Some(Place::of(self.kind, Some(unique_key))),
            None => None,
        };
        let id = place.filter(|_| !self.has_given_id).map_or(self.id, |place| place.stamp(self.id));
        NewIdentity { id, unique_key }
    }
}

/// Shows no arguments: they may be secret, and debug output goes to logs.
impl fmt::Debug for NewRow {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, queue, priority, due, .. } = self;
        write!(out, "{kind} {} in {queue}, {priority:?}, {due:?}", self.id())
    }
}
