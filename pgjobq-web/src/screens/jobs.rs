//! The list of jobs that match a filter.

use std::str::FromStr;
use std::time::Instant;

use askama::Template;
use pgjobq::filter::{Filter, all, state};
use pgjobq::{ActionError, JobPage, JobPlace, JobState, ListedJob};
use serde::Serialize;

use super::job_row::JobRow;
use crate::completion::completions;
use crate::completion::names::Names;
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::show::count::Count;
use crate::show::link::link;
use crate::visit::Visit;

/// The number of jobs on a page.
const PAGE: u32 = 50;
/// The part of a statement's timeout after which a page stops to look for jobs that few match: 100 ms of 5 seconds.
const PART_OF_TIMEOUT: u32 = 50;

#[derive(Template, Serialize)]
#[template(path = "jobs.html")]
pub(crate) struct Jobs {
    #[serde(skip)]
    visit: Visit,
    filter: String,
    /// The mistake in the filter. JSON has it as the error of the answer.
    #[serde(skip)]
    error: Option<String>,
    jobs: Vec<JobRow>,
    matching: Count,
    /// False if the number of jobs is an estimate.
    exact: bool,
    /// The lowest number of jobs that were looked at, if so few match that the page is not full and yet not the last.
    looked_at: Option<Count>,
    /// `newest` or `oldest`: which jobs come first.
    order: Order,
    /// The place of the next page, for the parameter `after`.
    next: Option<String>,
    #[serde(skip)]
    is_first: bool,
    #[serde(skip)]
    tabs: Vec<Tab>,
    /// The beginnings of filters, for a browser without the script.
    #[serde(skip)]
    completions: Vec<String>,
}

/// Which jobs come first.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    #[default]
    Newest,
    Oldest,
}

/// The jobs of a page.
struct Found {
    jobs: Vec<ListedJob>,
    next: Option<JobPlace>,
    /// The number of statements that it took.
    looks: u32,
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
        let order: Order = params.parsed("order")?.unwrap_or_default();
        let mut screen = Self {
            visit,
            error: None,
            jobs: Vec::new(),
            matching: Count::exact(0),
            exact: true,
            looked_at: None,
            order,
            next: None,
            is_first: after.is_none(),
            tabs: tabs(&text, order),
            completions: Vec::new(),
            filter: text,
        };
        match screen.list(after).await {
            // A page shows the mistake beside the field.
            Err(ActionError::Filter(error)) if !screen.visit.is_json() => {
                screen.error = Some(error.to_string());
            }
            listed => listed?,
        }
        let seen = screen.visit.board().statistics.current().await.ok();
        screen.completions = completions("", &Names::of(seen.as_ref().map(|seen| &*seen.answer)));
        Ok(screen)
    }
}

impl Jobs {
    async fn list(&mut self, after: Option<JobPlace>) -> Result<(), ActionError> {
        let filter: Filter = self.filter.parse()?;
        let jobs = self.visit.board().client.jobs(filter);
        let until = Instant::now() + self.visit.board().statement_timeout / PART_OF_TIMEOUT;
        let mut found = Found { jobs: Vec::new(), next: after, looks: 0 };
        self.look(&jobs, &mut found).await?;
        // A page from the first job to the last one has seen all of them.
        let sees_all = |found: &Found| self.is_first && found.next.is_none();
        let count = if sees_all(&found) { None } else { Some(jobs.count().await?) };
        while found.next.is_some() && found.jobs.len() < PAGE as usize && Instant::now() < until {
            self.look(&jobs, &mut found).await?;
        }
        let number = found.jobs.len() as u64;
        (self.matching, self.exact) = match count.filter(|_| !sees_all(&found)) {
            None => (Count::exact(number), true),
            // An estimate may be lower than the jobs of the page.
            Some(count) => {
                let jobs = if count.exact { count.jobs } else { count.jobs.max(number) };
                (Count::new(jobs, count.exact), count.exact)
            }
        };
        let is_short = found.next.is_some() && number < u64::from(PAGE);
        let looked_at = u64::from(found.looks) * u64::from(JobPage::LOOK_LIMIT);
        self.looked_at = is_short.then(|| Count::exact(looked_at));
        self.jobs = found.jobs.into_iter().map(JobRow::new).collect();
        self.next = found.next.map(|place| place.to_string());
        Ok(())
    }

    /// Looks for more jobs of the page with one statement.
    async fn look(&self, jobs: &pgjobq::Jobs<'_>, found: &mut Found) -> Result<(), ActionError> {
        let missing = PAGE - found.jobs.len() as u32;
        let page = match (self.order, &found.next) {
            (Order::Newest, None) => jobs.newest(missing).await?,
            (Order::Newest, Some(place)) => jobs.newest_after(place, missing).await?,
            (Order::Oldest, None) => jobs.list(missing).await?,
            (Order::Oldest, Some(place)) => jobs.list_after(place, missing).await?,
        };
        found.jobs.extend(page.jobs);
        found.next = page.next;
        found.looks += 1;
        Ok(())
    }

    fn next_link(&self) -> Option<String> {
        self.next.as_ref().map(|place| list_link(&self.filter, self.order, Some(place)))
    }

    fn first_link(&self) -> String {
        list_link(&self.filter, self.order, None)
    }

    /// The same list from the other end.
    fn other_order_link(&self) -> String {
        let other = if self.is_newest() { Order::Oldest } else { Order::Newest };
        list_link(&self.filter, other, None)
    }

    fn is_newest(&self) -> bool {
        self.order == Order::Newest
    }

    /// The link that begins an action on all jobs that match.
    fn preview(&self, action: &str) -> String {
        crate::show::link::preview(action, &self.filter)
    }
}

/// Returns a link to the list, or to its page after a place.
fn list_link(filter: &str, order: Order, after: Option<&str>) -> String {
    let order = (order == Order::Oldest).then_some(("order", "oldest"));
    let params: Vec<_> = [Some(("filter", filter)), order, after.map(|place| ("after", place))]
        .into_iter()
        .flatten()
        .collect();
    link("jobs", &params)
}

fn tabs(filter: &str, order: Order) -> Vec<Tab> {
    use JobState::{Blocked, Cancelled, Completed, Dead, Expired, Held, Limited, Ready, Running, Scheduled};
    let tab = |word, of: Filter| {
        let is_current = filter.parse::<Filter>().is_ok_and(|filter| filter == of);
        Tab { word, link: list_link(&of.to_string(), order, None), is_current }
    };
    let states = [Ready, Running, Scheduled, Limited, Blocked, Held, Dead, Completed, Cancelled, Expired];
    let of_states = states.map(|of| tab(of.as_str(), state(of)));
    std::iter::once(tab("all", all())).chain(of_states).collect()
}

impl FromStr for Order {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "newest" => Ok(Self::Newest),
            "oldest" => Ok(Self::Oldest),
            _ => Err(format!("`{word}` is no order: write newest or oldest")),
        }
    }
}
