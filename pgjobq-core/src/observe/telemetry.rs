//! The observers, the hooks and the sampler of a client.

use std::time::Duration;

use super::folder::Folder;
use super::observer::{Observer, Observers};
use super::receivers::Receivers;
use super::sampler::{ExplainSampler, Sampling};
use super::statement::{Plan, Seen, TelemetryHook};
use crate::measure::measures::Measures;

/// The default time between two measurements of the fleet.
const FLEET_INTERVAL: Duration = Duration::from_secs(15);

/// The observers, the hooks and the sampler of a client. Without any, a statement costs one branch.
#[derive(Debug, Default)]
pub(crate) struct Telemetry {
    pub(crate) observers: Observers,
    pub(crate) hooks: Receivers<Seen>,
    pub(crate) sampling: Option<Sampling>,
    /// The metrics, which workers also give the state of the fleet.
    pub(crate) measures: Vec<Measures>,
    pub(crate) fleet_interval: Duration,
}

/// The settings of a program, before its threads are started.
#[derive(Default)]
pub(crate) struct Receiving {
    pub(crate) observers: Vec<Box<dyn Observer>>,
    pub(crate) hooks: Vec<Box<dyn TelemetryHook>>,
    pub(crate) sampler: Option<ExplainSampler>,
    pub(crate) measures: Vec<Measures>,
    pub(crate) fleet_interval: Option<Duration>,
}

impl Telemetry {
    pub(crate) fn start(set: Receiving) -> Self {
        let Receiving { observers, mut hooks, sampler, measures, fleet_interval } = set;
        let fleet_interval = fleet_interval.unwrap_or(FLEET_INTERVAL);
        let sampling = sampler.as_ref().map(Sampling::new);
        if let Some(folder) = sampler.and_then(|sampler| sampler.folder) {
            hooks.push(Box::new(Folder::new(folder)));
        }
        let observers = Receivers::start("pgjobq-observer", observers);
        let hooks = Receivers::start("pgjobq-hook", hooks);
        Self { observers, hooks, sampling, measures, fleet_interval }
    }

    /// Returns whether nobody wants to know of statements.
    #[inline]
    pub(crate) fn is_off(&self) -> bool {
        !self.hooks.listen() && self.sampling.is_none()
    }

    /// Waits until everybody has seen everything that happened before.
    pub(crate) async fn delivered(&self) {
        self.observers.delivered().await;
        self.hooks.delivered().await;
    }

    /// Passes on plans.
    pub(crate) fn emit_plans(&self, plans: Vec<Plan>) {
        for plan in &plans {
            tracing::debug!(target: "pgjobq::plan", statement = plan.statement, worker = plan.worker.as_deref(),
                analyzed = plan.analyzed, inner = plan.inner, query = plan.query, plan = %plan.json);
        }
        self.hooks.emit(|seen| seen.extend(plans.into_iter().map(|plan| Seen::Plan(Box::new(plan)))));
    }
}
