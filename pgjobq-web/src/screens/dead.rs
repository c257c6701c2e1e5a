//! Dead jobs, in groups that died alike.

use askama::Template;
use pgjobq::filter::{Filter, error_contains, kind, queue, state};
use pgjobq::{DeadGroup, JobState};
use serde::Serialize;

use super::preview::GROUP;
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::show::count::Count;
use crate::show::link::{jobs, link};
use crate::show::moment::Moment;
use crate::visit::Visit;

/// The largest number of groups.
const MOST_GROUPS: u32 = 100;

#[derive(Template, Serialize)]
#[template(path = "dead.html")]
pub(crate) struct Dead {
    #[serde(skip)]
    visit: Visit,
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
        let groups = visit.board().client.dead_groups(MOST_GROUPS).await?;
        Ok(Self {
            exact: groups.iter().all(|group| group.exact),
            groups: groups.into_iter().map(Group::new).collect(),
            list_link: jobs(&state(JobState::Dead)),
            visit,
        })
    }
}

impl Group {
    fn new(group: DeadGroup) -> Self {
        let filter = filter_of(&group).to_string();
        Self {
            kind: group.kind,
            queue: group.queue,
            error: group.error,
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
