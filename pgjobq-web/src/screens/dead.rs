//! Dead jobs, in groups that died alike.

use askama::Template;
use pgjobq::filter::{Filter, error_contains, kind, queue, state};
use pgjobq::{DeadGroup, JobState};
use serde::Serialize;

use super::preview::GROUP;
use crate::freshness::Freshness;
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::shared::Seen;
use crate::show::count::Count;
use crate::show::link::{jobs, link};
use crate::show::moment::Moment;
use crate::visit::Visit;

#[derive(Template, Serialize)]
#[template(path = "dead.html")]
pub(crate) struct Dead {
    #[serde(skip)]
    visit: Visit,
    #[serde(flatten)]
    freshness: Freshness,
    groups: Vec<Group>,
    /// False if only the last ten thousand dead jobs of each shard were looked at.
    exact: bool,
    #[serde(skip)]
    list_link: String,
}

#[derive(Serialize)]
struct Group {
    kind: String,
    queue: Option<String>,
    /// The first line of the error, with `#` in place of ids and numbers.
    error: Option<String>,
    jobs: Count,
    first_at: Moment,
    last_at: Moment,
    last: String,
    /// A filter of these jobs. It may admit others with a similar error.
    filter: String,
}

impl Screen for Dead {
    async fn load(visit: Visit, _: Params) -> Result<Self, Problem> {
        let seen = visit.board().lists.dead().await?;
        Ok(Self::of(visit, &seen))
    }

    fn at_hand(visit: &Visit) -> Option<Self> {
        let seen = visit.board().lists.dead_at_hand()?;
        Some(Self::of(visit.clone(), &seen))
    }
}

impl Dead {
    fn of(visit: Visit, seen: &Seen<Vec<DeadGroup>>) -> Self {
        Self {
            freshness: Freshness::new(&visit, seen.at, seen.failing.as_ref()),
            exact: seen.answer.iter().all(|group| group.exact),
            groups: seen.answer.iter().map(Group::new).collect(),
            list_link: jobs(&state(JobState::Dead)),
            visit,
        }
    }
}

impl Group {
    fn new(group: &DeadGroup) -> Self {
        let filter = filter_of(group).to_string();
        Self {
            kind: group.kind.clone(),
            queue: group.queue.clone(),
            error: group.error.clone(),
            jobs: Count::new(group.jobs, group.exact),
            first_at: Moment(group.first_at),
            last_at: Moment(group.last_at),
            last: group.last.to_string(),
            filter,
        }
    }

    fn jobs_link(&self) -> String {
        link("jobs", &[("filter", &self.filter)])
    }

    fn last_link(&self) -> String {
        link("job", &[("id", &self.last)])
    }

    fn preview(&self, action: &str) -> String {
        link("preview", &[("action", action), ("filter", &self.filter), ("of", GROUP)])
    }
}

/// Returns the filter of a group. Of the error it has the longest part without a number.
fn filter_of(group: &DeadGroup) -> Filter {
    let mut filter = state(JobState::Dead).and(kind(&*group.kind));
    if let Some(name) = &group.queue {
        filter = filter.and(queue(&**name));
    }
    let parts = group.error.iter().flat_map(|error| error.split('#'));
    match parts.max_by_key(|part| part.len()).filter(|part| part.trim().len() > 2) {
        Some(part) => filter.and(error_contains(part)),
        None => filter,
    }
}
