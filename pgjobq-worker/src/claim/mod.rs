//! Claiming jobs: when to ask which lane, for how much, and how the answers are used.

pub(crate) mod arrivals;
mod ask;
mod begin;
pub(crate) mod claim_loop;
pub(crate) mod gathering;
mod idleness;
mod lane;
mod lost_claim;
#[cfg(feature = "testing")]
pub(crate) mod one;
mod outage;
pub(crate) mod pace;
pub(crate) mod portion;
pub(crate) mod prefetch;
mod promise;
pub(crate) mod quarantine;
mod requests;
mod responses;
mod scan_hint;
