//! The list of jobs that match a filter.

use std::str::FromStr;

use askama::Template;
use pgjobq::filter::{Filter, all, state};
use pgjobq::{ActionError, JobPlace, JobState};
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

#[derive(Template, Serialize)]
#[template(path = "jobs.html")]
pub(crate) struct Jobs {
    #[serde(skip)]
    visit: Visit,
    filter: String,
    /// The mistake in the filter.
    error: Option<String>,
    jobs: Vec<JobRow>,
    matching: Count,
    /// False if the number of jobs is an estimate.
    exact: bool,
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
        let snapshot = visit.board().statistics.current().await.ok();
        let mut screen = Self {
            visit,
            error: None,
            jobs: Vec::new(),
            matching: Count::exact(0),
            exact: true,
            order,
            next: None,
            is_first: after.is_none(),
            tabs: tabs(&text, order),
            completions: completions("", &Names::of(snapshot.as_ref().map(|seen| &*seen.answer))),
            filter: text,
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
        let page = match (self.order, &after) {
            (Order::Newest, None) => jobs.newest(PAGE).await?,
            (Order::Newest, Some(place)) => jobs.newest_after(place, PAGE).await?,
            (Order::Oldest, None) => jobs.list(PAGE).await?,
            (Order::Oldest, Some(place)) => jobs.list_after(place, PAGE).await?,
        };
        let count = jobs.count().await?;
        self.jobs = page.jobs.into_iter().map(JobRow::new).collect();
        // An estimate may be lower than the jobs of the page.
        let jobs = if count.exact { count.jobs } else { count.jobs.max(self.jobs.len() as u64) };
        (self.matching, self.exact) = (Count::new(jobs, count.exact), count.exact);
        self.next = page.next.map(|place| place.to_string());
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
