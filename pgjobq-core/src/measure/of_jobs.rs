//! The instruments of the metrics of jobs, by queue and kind. Each event of a job records with some of them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::measure::labels::{Key, Names};
use crate::measure::meter::{Instrument, Meter};
use crate::measure::metric::Metric;
use crate::observe::Outcome;

/// The instruments of the metrics of jobs.
#[derive(Default)]
pub(super) struct OfJobs {
    all: Vec<OfKind>,
    /// The places in `all`, by the labels of queue and kind.
    places: HashMap<(Arc<str>, Arc<str>), usize, RandomState>,
    /// The last job's queue and kind, and their place: the next one mostly has the same.
    last: Option<(Arc<str>, Cow<'static, str>, usize)>,
}

/// The instruments of one queue and one kind.
struct OfKind {
    queue: Arc<str>,
    kind: Arc<str>,
    /// A few, each made when it is used for the first time.
    instruments: Vec<(&'static Metric, Option<Outcome>, Instrument)>,
}

impl OfJobs {
    /// Returns the instruments for the jobs of a queue and a kind.
    #[expect(clippy::ptr_arg, reason = "it is cloned without an allocation")]
    pub(super) fn of(
        &mut self,
        queue: &Arc<str>,
        kind: &Cow<'static, str>,
        queues: &mut Names,
        kinds: &mut Names,
    ) -> OfJob<'_> {
        let last = self.last.as_ref().filter(|(of_queue, of_kind, _)| of_queue == queue && of_kind == kind);
        let place = last.map(|(.., place)| *place).unwrap_or_else(|| {
            let place = self.find((queues.label(queue), kinds.label(kind)));
            self.last = Some((Arc::clone(queue), kind.clone(), place));
            place
        });
        OfJob(&mut self.all[place])
    }

    fn find(&mut self, labels: (Arc<str>, Arc<str>)) -> usize {
        *self.places.entry(labels).or_insert_with_key(|(queue, kind)| {
            let (queue, kind) = (Arc::clone(queue), Arc::clone(kind));
            self.all.push(OfKind { queue, kind, instruments: Vec::new() });
            self.all.len() - 1
        })
    }

    /// The number of instruments.
    pub(super) fn len(&self) -> usize {
        self.all.iter().map(|kind| kind.instruments.len()).sum()
    }
}

/// The instruments for a job.
pub(super) struct OfJob<'o>(&'o mut OfKind);

impl OfJob<'_> {
    /// Records a value.
    pub(super) fn record(
        &mut self,
        meter: &dyn Meter,
        metric: &'static Metric,
        outcome: Option<Outcome>,
        value: f64,
    ) {
        let OfKind { queue, kind, instruments } = &mut *self.0;
        let known = instruments.iter().find(|(of, by, _)| std::ptr::eq(*of, metric) && *by == outcome);
        if let Some((.., instrument)) = known {
            return instrument(value);
        }
        let (queue, kind) = (Some(Arc::clone(queue)), Some(Arc::clone(kind)));
        let key = Key { queue, kind, word: outcome.map(Outcome::as_str), ..Key::of(metric) };
        let new = meter.instrument(metric, &key.labels(metric));
        new(value);
        instruments.push((metric, outcome, new));
    }
}
