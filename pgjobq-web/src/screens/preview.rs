//! An action on all jobs that match a filter, before it is started.

use askama::Template;
use pgjobq::filter::ids;
use pgjobq::{ActionError, JobId};
use serde::Serialize;

use super::job_row::JobRow;
use crate::acts::many::{Many, Word};
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::show::count::Count;
use crate::visit::Visit;

/// The value of the parameter `of` for a group of dead jobs.
pub(super) const GROUP: &str = "group";

#[derive(Template, Serialize)]
#[template(path = "preview.html")]
pub(crate) struct Preview {
    #[serde(skip)]
    visit: Visit,
    action: &'static str,
    filter: String,
    matching: Count,
    /// False if the number of jobs is an estimate.
    exact: bool,
    samples: Vec<JobRow>,
    /// Why the action changes none of them, if the filter admits only jobs of other states.
    why_none: Option<String>,
    #[serde(skip)]
    word: Word,
    /// Queues to which the jobs can move. There may be more.
    #[serde(skip)]
    queues: Vec<String>,
    #[serde(skip)]
    all_jobs: bool,
    /// True if the filter stands for a group of dead jobs, and may admit others.
    of_group: bool,
}

impl Screen for Preview {
    async fn load(visit: Visit, params: Params) -> Result<Self, Problem> {
        let word: Word = params.required("action")?;
        let permission = word.permission();
        if !visit.may(permission) {
            return Err(Problem::NotAllowed(permission));
        }
        let chosen: Vec<JobId> = params
            .all("id")
            .map(|id| id.parse().map_err(|error| Problem::Invalid(format!("`id`: {error}"))))
            .collect::<Result<_, _>>()?;
        let nothing_chosen = || {
            Problem::Invalid("no job is chosen: go back and choose some, or act on all that match".to_owned())
        };
        let filter = match chosen.is_empty() {
            true => params.all("filter").next().ok_or_else(nothing_chosen)?.to_owned(),
            false => ids(chosen).to_string(),
        };
        let action = Many::look(word, &filter)?.action(&visit.board().client)?;
        let (count, samples, why_none) = match action.preview().await {
            Ok(preview) => (Count::new(preview.count.jobs, preview.count.exact), preview.samples, None),
            Err(error @ ActionError::WrongState { .. }) => {
                (Count::exact(0), Vec::new(), Some(error.to_string()))
            }
            Err(error) => return Err(error.into()),
        };
        let seen = visit.board().statistics.current().await.ok();
        Ok(Self {
            action: word.as_str(),
            all_jobs: filter.parse().is_ok_and(|filter: pgjobq::filter::Filter| filter.is_all()),
            of_group: params.maybe("of") == Some(GROUP),
            filter,
            matching: count,
            exact: count.is_exact(),
            samples: samples.into_iter().map(JobRow::new).collect(),
            why_none,
            word,
            queues: seen
                .iter()
                .flat_map(|seen| &seen.answer.fleet.queues)
                .map(|queue| queue.queue.clone())
                .collect(),
            visit,
        })
    }
}

impl Preview {
    fn moves(&self) -> bool {
        self.word == Word::MoveTo
    }

    fn sets_priority(&self) -> bool {
        self.word == Word::SetPriority
    }

    fn deletes(&self) -> bool {
        self.word == Word::Delete
    }
}
