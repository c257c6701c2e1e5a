//! The registered workers.

use askama::Template;
use pgjobq::RegisteredWorker;
use serde::Serialize;

use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::show::moment::Moment;
use crate::show::span::Span;
use crate::visit::Visit;

#[derive(Template, Serialize)]
#[template(path = "workers.html")]
pub(crate) struct Workers {
    #[serde(skip)]
    visit: Visit,
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
    running: u64,
    slots: u64,
    queues: Vec<(String, u32)>,
    kinds: Vec<String>,
    accepts: Option<String>,
}

impl Screen for Workers {
    async fn load(visit: Visit, _: Params) -> Result<Self, Problem> {
        let workers = visit.board().client.workers().await?;
        let cut = workers.len() > MOST_WORKERS;
        Ok(Self { visit, workers: workers.into_iter().take(MOST_WORKERS).map(Worker::new).collect(), cut })
    }
}

impl Worker {
    fn new(worker: RegisteredWorker) -> Self {
        Self {
            is_silent: worker.is_silent(),
            slots: worker.slots(),
            id: worker.id.to_string(),
            name: worker.name,
            started_at: Moment(worker.started_at),
            silent_for: Span(worker.silent_for),
            lease: Span(worker.lease),
            running: worker.running,
            queues: worker.queues,
            kinds: worker.kinds.into_iter().collect(),
            accepts: worker.accepts,
        }
    }
}
