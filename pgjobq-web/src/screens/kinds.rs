//! The kinds of jobs that programs have recorded.

use askama::Template;
use pgjobq::{PauseScope, RecordedKind};
use serde::Serialize;

use super::queue::{Paused, paused};
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::show::link::link;
use crate::show::moment::Moment;
use crate::visit::Visit;

#[derive(Template, Serialize)]
#[template(path = "kinds.html")]
pub(crate) struct Kinds {
    #[serde(skip)]
    visit: Visit,
    kinds: Vec<Kind>,
}

#[derive(Serialize)]
struct Kind {
    name: String,
    queue: String,
    priority: &'static str,
    retries: u32,
    max_crashes: u32,
    redacted: String,
    recorded_at: Moment,
    /// The live workers that know it.
    workers: u64,
    pause: Option<Paused>,
}

impl Screen for Kinds {
    async fn load(visit: Visit, _: Params) -> Result<Self, Problem> {
        let client = &visit.board().client;
        let pauses = client.pauses().await?;
        let kinds = client.recorded_kinds().await?.into_iter();
        let kinds = kinds.map(|kind| Kind::new(kind, &pauses)).collect();
        Ok(Self { visit, kinds })
    }
}

impl Kind {
    fn new(kind: RecordedKind, pauses: &[pgjobq::Pause]) -> Self {
        Self {
            pause: paused(pauses, PauseScope::Kind, &kind.kind),
            name: kind.kind,
            queue: kind.queue,
            priority: kind.priority.as_str(),
            retries: kind.retries,
            max_crashes: kind.max_crashes,
            redacted: kind.redacted.join(", "),
            recorded_at: Moment(kind.recorded_at),
            workers: kind.workers,
        }
    }

    fn jobs_link(&self) -> String {
        link("jobs", &[("filter", &pgjobq::filter::kind(&*self.name).to_string())])
    }

    fn queue_link(&self) -> String {
        link("queue", &[("name", &self.queue)])
    }
}
