//! Stops an action on many jobs.

use pgjobq::ActionId;

use super::act::{Act, Done, Record};
use crate::params::Params;
use crate::problem::Problem;
use crate::show::link::link;
use crate::user::Permission;
use crate::visit::Visit;

/// Stops an action on many jobs.
pub(crate) struct Stop {
    action: ActionId,
}

impl Act for Stop {
    fn read(params: &Params) -> Result<Self, Problem> {
        Ok(Self { action: ActionId(params.required("id")?) })
    }

    fn permission(&self) -> Permission {
        Permission::Cancel
    }

    fn record(&self) -> Record {
        let subject = format!("action {}", self.action);
        Record { action: "stop".to_owned(), subject, reason: None }
    }

    async fn run(self, visit: &Visit) -> Result<Done, Problem> {
        let outcome = match visit.board().client.action(self.action).stop().await? {
            true => "The action is stopped. The jobs that it has changed stay changed.",
            false => "The action has ended already.",
        };
        Ok(Done::new(outcome, link("action", &[("id", &self.action.to_string())])))
    }
}
