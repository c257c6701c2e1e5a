//! The queues.

use askama::Template;
use serde::Serialize;

use super::queue_row::QueueRow;
use crate::freshness::Freshness;
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::shared::Seen;
use crate::statistics::Snapshot;
use crate::visit::Visit;

#[derive(Template, Serialize)]
#[template(path = "queues.html")]
pub(crate) struct Queues {
    #[serde(skip)]
    visit: Visit,
    #[serde(flatten)]
    freshness: Freshness,
    /// False if some queues are left out.
    complete: bool,
    queues: Vec<QueueRow>,
}

impl Screen for Queues {
    async fn load(visit: Visit, _: Params) -> Result<Self, Problem> {
        let seen = visit.board().statistics.current().await?;
        Ok(Self::of(visit, &seen))
    }

    fn at_hand(visit: &Visit) -> Option<Self> {
        let seen = visit.board().statistics.at_hand()?;
        Some(Self::of(visit.clone(), &seen))
    }
}

impl Queues {
    fn of(visit: Visit, seen: &Seen<Snapshot>) -> Self {
        let snapshot = &*seen.answer;
        Self {
            freshness: Freshness::new(&visit, snapshot.at, seen.failing.as_ref()),
            complete: snapshot.fleet.complete,
            queues: QueueRow::all(snapshot),
            visit,
        }
    }
}
