//! The queues.

use askama::Template;
use serde::Serialize;

use super::queue_row::QueueRow;
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::show::moment::Moment;
use crate::statistics::Snapshot;
use crate::visit::Visit;

#[derive(Template, Serialize)]
#[template(path = "queues.html")]
pub(crate) struct Queues {
    #[serde(skip)]
    visit: Visit,
    measured_at: Moment,
    /// False if some queues are left out.
    complete: bool,
    queues: Vec<QueueRow>,
}

impl Screen for Queues {
    async fn load(visit: Visit, _: Params) -> Result<Self, Problem> {
        let snapshot = visit.board().statistics.current().await?;
        Ok(Self::of(visit, &snapshot))
    }

    fn at_hand(visit: &Visit) -> Option<Self> {
        let snapshot = visit.board().statistics.at_hand()?;
        Some(Self::of(visit.clone(), &snapshot))
    }
}

impl Queues {
    fn of(visit: Visit, snapshot: &Snapshot) -> Self {
        Self {
            measured_at: Moment(snapshot.at),
            complete: snapshot.fleet.complete,
            queues: QueueRow::all(snapshot),
            visit,
        }
    }
}
