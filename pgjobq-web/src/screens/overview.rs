//! The first screen: how the whole fleet is.

use askama::Template;
use pgjobq::JobState;
use pgjobq::filter::state;
use pgjobq::measure::QueueState;
use serde::Serialize;

use super::queue_row::QueueRow;
use super::warnings::{self, Warning};
use crate::chart::{Bar, Chart};
use crate::freshness::Freshness;
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::shared::Seen;
use crate::show::count::Count;
use crate::show::link::jobs;
use crate::show::span::Span;
use crate::statistics::Snapshot;
use crate::visit::Visit;

#[derive(Template, Serialize)]
#[template(path = "overview.html")]
pub(crate) struct Overview {
    #[serde(skip)]
    visit: Visit,
    #[serde(flatten)]
    freshness: Freshness,
    ready: Count,
    running: Count,
    slots: Count,
    scheduled: Count,
    dead: Count,
    workers: Count,
    oldest: Option<Span>,
    warnings: Vec<Warning>,
    throughput: Vec<Bar>,
    queues: Vec<QueueRow>,
    #[serde(skip)]
    chart: Chart,
    #[serde(skip)]
    ready_link: String,
    #[serde(skip)]
    running_link: String,
    #[serde(skip)]
    scheduled_link: String,
}

impl Screen for Overview {
    async fn load(visit: Visit, _: Params) -> Result<Self, Problem> {
        let seen = visit.board().statistics.current().await?;
        Ok(Self::of(visit, &seen))
    }

    fn at_hand(visit: &Visit) -> Option<Self> {
        let seen = visit.board().statistics.at_hand()?;
        Some(Self::of(visit.clone(), &seen))
    }
}

impl Overview {
    fn of(visit: Visit, seen: &Seen<Snapshot>) -> Self {
        let snapshot = &*seen.answer;
        let queues = &snapshot.fleet.queues;
        let exact = queues.iter().all(|queue| queue.exact);
        let sum = |of: fn(&QueueState) -> u64| Count::new(queues.iter().map(of).sum(), exact);
        let jobs_in = |in_state| jobs(&state(in_state));
        let mut chart = Chart::new(&snapshot.throughput);
        Self {
            freshness: Freshness::new(&visit, snapshot.at, seen.failing.as_ref()),
            ready: sum(|queue| queue.ready),
            running: sum(|queue| queue.running),
            slots: Count::exact(queues.iter().map(|queue| queue.slots).sum()),
            scheduled: sum(|queue| queue.scheduled),
            dead: sum(|queue| queue.dead),
            workers: Count::exact(snapshot.fleet.workers),
            oldest: queues.iter().filter_map(|queue| queue.oldest).max().map(Span),
            warnings: warnings::of(snapshot),
            throughput: std::mem::take(&mut chart.bars),
            chart,
            queues: QueueRow::all(snapshot),
            ready_link: jobs_in(JobState::Ready),
            running_link: jobs_in(JobState::Running),
            scheduled_link: jobs_in(JobState::Scheduled),
            visit,
        }
    }
}
