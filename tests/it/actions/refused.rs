//! Mistakes are refused before anything is stored.

use std::time::{Duration, SystemTime};

use pgjobq::filter::{all, attribute, state, states};
use pgjobq::{ActionError, ActionId, JobState};

use super::{tenant, wait_for_tenants};
use crate::harness::TestDb;

on_one_shard!(wrong_action_is_refused_before_it_is_stored);
async fn wrong_action_is_refused_before_it_is_stored(db: TestDb) {
    wait_for_tenants(&db, &[1], 3).await;
    let jobs = db.client.jobs(tenant(1));
    let centuries = SystemTime::now() + Duration::from_secs(200 * 366 * 86_400);
    let wrong = [
        (jobs.cancel().rate("100 per fortnight"), "`100 per fortnight` is no rate: write a number"),
        (jobs.move_to("nowhere"), "queue `nowhere` does not exist, so no job was moved; create it with"),
        (jobs.run_at(centuries), "more than a hundred years"),
        (db.client.jobs(attribute("a").eq(f64::NAN)).cancel(), "NaN"),
        (db.client.jobs(state(JobState::Dead)).cancel(), "that have not ended, and the filter admits none"),
        (db.client.jobs(state(JobState::Ready)).delete(), "`delete` changes jobs that have ended"),
        (db.client.jobs(state(JobState::Ready)).requeue(), "`retry_now` lets jobs run at once"),
        (db.client.jobs(states([JobState::Dead])).retry_now(), "`requeue` puts dead"),
    ];
    for (action, says) in wrong {
        for error in [action.preview().await.unwrap_err(), action.clone().start().await.err().unwrap()] {
            assert!(error.to_string().contains(says), "{error}");
        }
        assert!(action.await.is_err());
    }
    assert_eq!(db.number("select count(*) from pgjobq.actions").await, 0);
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 3);
}

on_one_shard!(every_job_is_meant_only_by_saying_all);
async fn every_job_is_meant_only_by_saying_all(db: TestDb) {
    wait_for_tenants(&db, &[1, 2], 3).await;
    assert!("".parse::<pgjobq::filter::Filter>().is_err());
    assert_eq!(db.client.jobs("all".parse().unwrap()).count().await.unwrap().jobs, 6);
    assert_eq!(db.client.jobs(all()).cancel().await.unwrap().changed, 6);
}

on_one_shard!(unknown_action_is_an_error);
async fn unknown_action_is_an_error(db: TestDb) {
    let unknown = db.client.action(ActionId(7));
    assert!(matches!(unknown.progress().await, Err(ActionError::UnknownAction(ActionId(7)))));
    assert!(matches!(unknown.wait().await, Err(ActionError::UnknownAction(_))));
    assert!(matches!(unknown.stop().await, Err(ActionError::UnknownAction(_))));
}
