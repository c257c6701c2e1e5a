//! Recording how attempts ended, and notifying everyone who depends on it.

pub(crate) mod alerts;
pub(crate) mod batch;
mod finish;
pub(crate) mod finisher;
pub(crate) mod hand_back;
pub(crate) mod laggards;
mod observe;
pub(crate) mod recorders;
pub(crate) mod unrecorded;
