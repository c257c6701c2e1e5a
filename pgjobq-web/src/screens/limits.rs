//! The limits over the whole fleet.

use askama::Template;
use pgjobq::{JobState, LimitScope, LimitState, filter};
use serde::Serialize;

use crate::freshness::Freshness;
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::shared::Seen;
use crate::show::count::Count;
use crate::show::link::{jobs, link};
use crate::visit::Visit;

#[derive(Template, Serialize)]
#[template(path = "limits.html")]
pub(crate) struct Limits {
    #[serde(skip)]
    visit: Visit,
    #[serde(flatten)]
    freshness: Freshness,
    limits: Vec<Limit>,
}

#[derive(Serialize)]
struct Limit {
    scope: String,
    name: String,
    per_key: bool,
    concurrency: Option<u32>,
    permits: Count,
    rates: Option<String>,
    rates_left: String,
    waiting: Count,
    exact: bool,
    /// True if no further job may start now.
    full: bool,
    #[serde(skip)]
    waiting_link: String,
    /// The queue, or the jobs of the kind.
    #[serde(skip)]
    all_link: String,
}

impl Screen for Limits {
    async fn load(visit: Visit, _: Params) -> Result<Self, Problem> {
        let seen = visit.board().lists.limits().await?;
        Ok(Self::of(visit, &seen))
    }

    fn at_hand(visit: &Visit) -> Option<Self> {
        let seen = visit.board().lists.limits_at_hand()?;
        Some(Self::of(visit.clone(), &seen))
    }
}

impl Limits {
    fn of(visit: Visit, seen: &Seen<Vec<LimitState>>) -> Self {
        Self {
            freshness: Freshness::new(&visit, seen.at, seen.failing.as_ref()),
            limits: seen.answer.iter().map(Limit::new).collect(),
            visit,
        }
    }
}

impl Limit {
    fn new(limit: &LimitState) -> Self {
        let (of, all_link) = match limit.scope {
            LimitScope::Queue => (filter::queue(&*limit.name), link("queue", &[("name", &limit.name)])),
            _ => (filter::kind(&*limit.name), jobs(&filter::kind(&*limit.name))),
        };
        let taken = limit.concurrency.is_some_and(|most| !limit.per_key && limit.permits >= u64::from(most));
        let left: Vec<_> = limit.rates_left.iter().map(u64::to_string).collect();
        Self {
            scope: limit.scope.to_string(),
            waiting_link: jobs(&of.and(filter::state(JobState::Limited))),
            all_link,
            name: limit.name.clone(),
            per_key: limit.per_key,
            concurrency: limit.concurrency,
            permits: Count::new(limit.permits, limit.exact),
            rates: limit.rates.clone(),
            full: taken || limit.rates_left.contains(&0),
            rates_left: left.join(", "),
            waiting: Count::new(limit.waiting, limit.exact),
            exact: limit.exact,
        }
    }
}
