//! The schedules.

use askama::Template;
use serde::Serialize;

use super::schedule_row::ScheduleRow;
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::show::link::link;
use crate::visit::Visit;

/// The number of schedules on a page.
const PAGE: u32 = 100;

#[derive(Template, Serialize)]
#[template(path = "schedules.html")]
pub(crate) struct Schedules {
    #[serde(skip)]
    visit: Visit,
    schedules: Vec<ScheduleRow>,
    /// The last schedule of this page, for the parameter `after` of the next one.
    next: Option<String>,
    #[serde(skip)]
    is_first: bool,
    #[serde(skip)]
    no_workers: bool,
}

impl Screen for Schedules {
    async fn load(visit: Visit, params: Params) -> Result<Self, Problem> {
        let after = params.maybe("after").unwrap_or_default();
        let schedules = visit.board().client.schedules().list_after(after, PAGE).await?;
        let next = schedules.last().filter(|_| schedules.len() == PAGE as usize);
        Ok(Self {
            next: next.map(|last| last.name.clone()),
            is_first: after.is_empty(),
            schedules: schedules.iter().map(ScheduleRow::new).collect(),
            no_workers: visit.board().no_workers().await,
            visit,
        })
    }
}

impl Schedules {
    fn next_link(&self) -> Option<String> {
        self.next.as_ref().map(|after| link("schedules", &[("after", after)]))
    }
}
