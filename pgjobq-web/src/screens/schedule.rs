//! One schedule: when it fires, and what became of its ticks.

use askama::Template;
use serde::Serialize;
use serde_json::value::RawValue;

use super::schedule_row::ScheduleRow;
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::show::json::pretty;
use crate::show::link::link;
use crate::show::moment::Moment;
use crate::user::Permission;
use crate::visit::Visit;

/// The number of next ticks that are shown.
const NEXT_RUNS: usize = 5;

#[derive(Template, Serialize)]
#[template(path = "schedule.html")]
pub(crate) struct Schedule {
    #[serde(skip)]
    visit: Visit,
    #[serde(flatten)]
    schedule: ScheduleRow,
    next_runs: Vec<Moment>,
    /// The arguments of its jobs; null if the user may not see them.
    args: Option<Box<RawValue>>,
    /// True if it can be removed: it was set by name, or the code of no running worker has it.
    removable: bool,
    /// The arguments as the page shows them, and whether they are cut.
    #[serde(skip)]
    shown_args: Option<(String, bool)>,
    #[serde(skip)]
    no_workers: bool,
}

impl Screen for Schedule {
    async fn load(visit: Visit, params: Params) -> Result<Self, Problem> {
        let schedule = visit.board().client.schedules().get(params.exact("name")?).await?;
        let args = Some(&schedule.args).filter(|_| visit.may(Permission::SeeArguments));
        let row = ScheduleRow::new(&schedule);
        Ok(Self {
            next_runs: schedule.next_runs(NEXT_RUNS).into_iter().map(Moment).collect(),
            removable: row.set.is_some() || !schedule.is_declared,
            schedule: row,
            shown_args: args.map(|args| pretty(args)),
            args: args.and_then(|args| RawValue::from_string(args.clone()).ok()),
            no_workers: visit.board().no_workers().await,
            visit,
        })
    }
}

impl Schedule {
    fn json_link(&self) -> String {
        link("api/schedule", &[("name", &self.schedule.name)])
    }

    fn kind_link(&self) -> String {
        link("jobs", &[("filter", &pgjobq::filter::kind(&*self.schedule.kind).to_string())])
    }
}
