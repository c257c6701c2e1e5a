//! The actions. All go through one place, which checks the permission and the token, and records who asked.

mod act;
pub(crate) mod many;
mod one;
mod pause;
mod schedule;
mod stop;
mod workflow;

use std::sync::Arc;

use axum::Router;

use self::act::add;
use crate::board::Board;

/// Adds all actions.
pub(crate) fn routes(router: Router<Arc<Board>>) -> Router<Arc<Board>> {
    let router = add::<one::One>(router, "/act-on-job");
    let router = add::<many::Many>(router, "/act");
    let router = add::<stop::Stop>(router, "/stop");
    let router = add::<pause::Pause>(router, "/pause");
    let router = add::<pause::Resume>(router, "/resume");
    let router = add::<schedule::OnSchedule>(router, "/act-on-schedule");
    add::<workflow::OnWorkflow>(router, "/act-on-workflow")
}
