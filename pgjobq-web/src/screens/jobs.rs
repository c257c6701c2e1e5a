//! The list of jobs that match a filter.

use askama::Template;
use pgjobq::filter::{Filter, all, state};
use pgjobq::{ActionError, JobPlace, JobState, ListedJob};
use serde::Serialize;

use super::badge::Badge;
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::show::count::Count;
use crate::show::link::link;
use crate::show::moment::Moment;
use crate::visit::Visit;

/// The number of jobs on a page.
const PAGE: u32 = 50;
/// The largest number of characters of a text in the list.
const MOST_CHARACTERS: usize = 160;

#[derive(Template, Serialize)]
#[template(path = "jobs.html")]
pub(crate) struct Jobs {
    #[serde(skip)]
    visit: Visit,
    filter: String,
    /// The mistake in the filter.
    error: Option<String>,
    jobs: Vec<Row>,
    matching: Count,
    /// False if the number of jobs is an estimate.
    exact: bool,
    /// The place of the next page, for the parameter `after`.
    next: Option<String>,
    #[serde(skip)]
    next_link: Option<String>,
    #[serde(skip)]
    is_first: bool,
    #[serde(skip)]
    tabs: Vec<Tab>,
    #[serde(skip)]
    suggestions: Vec<String>,
}

/// A job in the list.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) state: Badge,
    pub(crate) kind: String,
    pub(crate) queue: Option<String>,
    pub(crate) priority: &'static str,
    pub(crate) key: Option<String>,
    pub(crate) attributes: String,
    pub(crate) attempts: u32,
    pub(crate) failures: u32,
    pub(crate) crashes: u32,
    pub(crate) created_at: Moment,
    pub(crate) run_at: Option<Moment>,
    pub(crate) finished_at: Option<Moment>,
    pub(crate) error: Option<String>,
}

/// A link to the jobs in a state.
struct Tab {
    word: &'static str,
    link: String,
    is_current: bool,
}

impl Screen for Jobs {
    async fn load(visit: Visit, params: Params) -> Result<Self, Problem> {
        let text = params.maybe("filter").unwrap_or("all").to_owned();
        let after: Option<JobPlace> = params.parsed("after")?;
        let suggestions = suggestions(&visit).await?;
        let tabs = tabs(&text);
        let mut screen = Self {
            visit,
            filter: text,
            error: None,
            jobs: Vec::new(),
            matching: Count::exact(0),
            exact: true,
            next: None,
            next_link: None,
            is_first: after.is_none(),
            tabs,
            suggestions,
        };
        match screen.list(after).await {
            Err(ActionError::Filter(error)) => screen.error = Some(error.to_string()),
            listed => listed?,
        }
        Ok(screen)
    }
}

impl Jobs {
    async fn list(&mut self, after: Option<JobPlace>) -> Result<(), ActionError> {
        let filter: Filter = self.filter.parse()?;
        let jobs = self.visit.board().client.jobs(filter);
        let page = match &after {
            Some(place) => jobs.list_after(place, PAGE).await?,
            None => jobs.list(PAGE).await?,
        };
        let count = jobs.count().await?;
        self.jobs = page.jobs.into_iter().map(Row::new).collect();
        (self.matching, self.exact) = (Count::new(count.jobs, count.exact), count.exact);
        self.next = page.next.map(|place| place.to_string());
        let to = |place: &String| link("jobs", &[("filter", &self.filter), ("after", place)]);
        self.next_link = self.next.as_ref().map(to);
        Ok(())
    }

    fn first_link(&self) -> String {
        link("jobs", &[("filter", &self.filter)])
    }

    /// The link that begins an action on all jobs that match.
    fn preview(&self, action: &str) -> String {
        crate::show::link::preview(action, &self.filter)
    }
}

impl Row {
    pub(crate) fn new(job: ListedJob) -> Self {
        let attributes = match job.attributes.is_empty() {
            true => String::new(),
            false => serde_json::to_string(&job.attributes).unwrap_or_default(),
        };
        Self {
            id: job.id.to_string(),
            state: Badge::of(job.state),
            kind: job.kind,
            queue: job.queue,
            priority: job.priority.as_str(),
            key: job.key,
            attributes: shortened(&attributes),
            attempts: job.attempts,
            failures: job.failures,
            crashes: job.crashes,
            created_at: Moment(job.created_at),
            run_at: job.run_at.map(Moment),
            finished_at: job.finished_at.map(Moment),
            error: job.error.map(|error| shortened(error.lines().next().unwrap_or_default())),
        }
    }

    pub(crate) fn link(&self) -> String {
        link("job", &[("id", &self.id)])
    }

    /// The end of the id, in which jobs that were enqueued together differ.
    pub(crate) fn short(&self) -> &str {
        self.id.rsplit('-').next().unwrap_or(&self.id)
    }
}

pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn tabs(filter: &str) -> Vec<Tab> {
    use JobState::{Blocked, Cancelled, Completed, Dead, Expired, Held, Limited, Ready, Running, Scheduled};
    let tab = |word, of: Filter| {
        let is_current = filter.parse::<Filter>().is_ok_and(|filter| filter == of);
        Tab { word, link: link("jobs", &[("filter", &of.to_string())]), is_current }
    };
    let states = [Ready, Running, Scheduled, Limited, Blocked, Held, Dead, Completed, Cancelled, Expired];
    let of_states = states.map(|of| tab(of.as_str(), state(of)));
    std::iter::once(tab("all", all())).chain(of_states).collect()
}

/// Returns filters that a browser offers while somebody types.
async fn suggestions(visit: &Visit) -> Result<Vec<String>, Problem> {
    let snapshot = visit.board().statistics.current().await?;
    let queues = snapshot.fleet.queues.iter().map(|queue| pgjobq::filter::queue(&*queue.queue).to_string());
    let kinds = visit.board().client.recorded_kinds().await?.into_iter().take(200);
    let kinds = kinds.map(|kind| pgjobq::filter::kind(kind.kind).to_string());
    let others = ["state = 'dead' and error contains ''", "priority >= 'high'", "attempts > 3", "key = ''"];
    Ok(queues.chain(kinds).chain(others.map(str::to_owned)).collect())
}
