//! The registered workers.

use askama::Template;
use pgjobq::RegisteredWorker;
use serde::Serialize;

use crate::freshness::Freshness;
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::shared::Seen;
use crate::show::count::Count;
use crate::show::moment::Moment;
use crate::show::span::Span;
use crate::visit::Visit;

#[derive(Template, Serialize)]
#[template(path = "workers.html")]
pub(crate) struct Workers {
    #[serde(skip)]
    visit: Visit,
    #[serde(flatten)]
    freshness: Freshness,
    workers: Vec<Worker>,
    /// True if there are more than the largest number that a page shows.
    cut: bool,
}

/// The largest number of workers that a page shows.
const MOST_WORKERS: usize = 500;

#[derive(Serialize)]
struct Worker {
    name: String,
    id: String,
    started_at: Moment,
    silent_for: Span,
    lease: Span,
    is_silent: bool,
    running: Count,
    slots: Count,
    queues: Vec<(String, u32)>,
    kinds: Vec<String>,
    accepts: Option<String>,
}

impl Screen for Workers {
    async fn load(visit: Visit, _: Params) -> Result<Self, Problem> {
        let seen = visit.board().lists.workers().await?;
        Ok(Self::of(visit, &seen))
    }

    fn at_hand(visit: &Visit) -> Option<Self> {
        let seen = visit.board().lists.workers_at_hand()?;
        Some(Self::of(visit.clone(), &seen))
    }
}

impl Workers {
    fn of(visit: Visit, seen: &Seen<Vec<RegisteredWorker>>) -> Self {
        Self {
            freshness: Freshness::new(&visit, seen.at, seen.failing.as_ref()),
            workers: seen.answer.iter().take(MOST_WORKERS).map(Worker::new).collect(),
            cut: seen.answer.len() > MOST_WORKERS,
            visit,
        }
    }
}

impl Worker {
    fn new(worker: &RegisteredWorker) -> Self {
        Self {
            is_silent: worker.is_silent(),
            slots: Count::exact(worker.slots()),
            id: worker.id.to_string(),
            name: worker.name.clone(),
            started_at: Moment(worker.started_at),
            silent_for: Span(worker.silent_for),
            lease: Span(worker.lease),
            running: Count::exact(worker.running),
            queues: worker.queues.clone(),
            kinds: worker.kinds.iter().cloned().collect(),
            accepts: worker.accepts.clone(),
        }
    }
}
