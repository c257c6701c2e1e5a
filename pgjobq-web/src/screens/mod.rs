//! The screens.

mod action;
mod actions;
mod audit;
mod badge;
mod completions;
mod dead;
mod job;
mod job_row;
mod jobs;
mod kinds;
mod limits;
mod neighbours;
mod overview;
mod preview;
mod queue;
mod queue_row;
mod queues;
mod schedule;
mod schedule_row;
mod schedules;
mod session;
mod warnings;
mod workers;
mod workflow;
mod workflows;

use std::sync::Arc;

use axum::Router;
use axum::extract::Extension;
use axum::response::Response;
use axum::routing::get;

use crate::board::Board;
use crate::problem::Problem;
use crate::screen::{add, answer_problem};
use crate::visit::Visit;

/// Adds all screens.
pub(crate) fn routes(router: Router<Arc<Board>>) -> Router<Arc<Board>> {
    let router = router.route("/api/session", get(session::session));
    let router = router.route("/api/completions", get(completions::completions));
    let router = add::<overview::Overview>(router, "/overview");
    let router = add::<jobs::Jobs>(router, "/jobs");
    let router = add::<job::Job>(router, "/job");
    let router = add::<preview::Preview>(router, "/preview");
    let router = add::<queues::Queues>(router, "/queues");
    let router = add::<queue::Queue>(router, "/queue");
    let router = add::<kinds::Kinds>(router, "/kinds");
    let router = add::<limits::Limits>(router, "/limits");
    let router = add::<workflows::Workflows>(router, "/workflows");
    let router = add::<workflow::Workflow>(router, "/workflow");
    let router = add::<schedules::Schedules>(router, "/schedules");
    let router = add::<schedule::Schedule>(router, "/schedule");
    let router = add::<dead::Dead>(router, "/dead");
    let router = add::<workers::Workers>(router, "/workers");
    let router = add::<actions::Actions>(router, "/actions");
    let router = add::<action::Action>(router, "/action");
    add::<audit::Audit>(router, "/audit")
}

/// Answers at every other path. That of the bare address is a redirect to the first page, which `enter` has made.
pub(crate) async fn other(Extension(visit): Extension<Visit>) -> Response {
    answer_problem(&visit, Problem::NotFound("there is no such page".to_owned()))
}
