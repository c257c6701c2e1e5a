//! How old the numbers of a screen are.

use std::time::SystemTime;

use serde::Serialize;

use crate::problem::Problem;
use crate::shared::Failing;
use crate::show::moment::Moment;
use crate::show::span::Span;
use crate::visit::Visit;

/// How old the numbers of a screen are, and why there are no newer ones.
#[derive(Serialize)]
pub(crate) struct Freshness {
    pub(crate) measured_at: Moment,
    /// The time since then.
    age: Span,
    /// Set if the database could not be asked again.
    pub(crate) error: Option<String>,
}

impl Freshness {
    pub(crate) fn new(visit: &Visit, at: SystemTime, failing: Option<&Failing>) -> Self {
        let told = |failing: &Failing| {
            let (since, at) = (Moment(failing.since), Moment(at));
            let reason = visit.told(&Problem::from(failing.error.clone()));
            format!(
                "Could not ask the database since {since}; these numbers are of {at}. The reason: {reason}."
            )
        };
        Self {
            measured_at: Moment(at),
            age: Span(at.elapsed().unwrap_or_default()),
            error: failing.map(told),
        }
    }
}
