//! Counts, lists and actions on all jobs that match a filter.

mod beside; // Workers go on beside an action.
mod changes; // What each action does to which jobs.
mod lists; // Counts, pages and previews.
mod newest; // Lists with the newest jobs first.
mod refused; // Mistakes are refused before anything is stored.
mod trouble; // Batches that fail, are slow, or meet other transactions.
mod turns; // Batches: paced, in turn, after the death of a client.

use std::time::Duration;

use pgjobq::filter::{Filter, attribute};
use pgjobq::prelude::*;

use crate::harness::TestDb;

#[job(retries = 3, backoff = "1h")]
async fn act_greet(name: String) -> Result<String> {
    Ok(format!("Hello, {name}!"))
}

#[job(retries = 0)]
async fn act_fail(number: u32) -> Result<()> {
    Err(format!("no {number}").into())
}

/// Enqueues waiting jobs of these tenants, this number of each.
async fn wait_for_tenants(db: &TestDb, tenants: &[i64], each: usize) {
    for tenant in tenants {
        let jobs = (0..each).map(|n| act_greet::job(format!("{tenant}/{n}")).attribute("tenant", *tenant));
        db.client.enqueue_all(jobs).await.unwrap();
    }
}

fn tenant(number: i64) -> Filter {
    attribute("tenant").eq(number)
}

/// The number of live jobs of a tenant that fulfil a condition.
async fn live(db: &TestDb, tenant: i64, condition: &str) -> i64 {
    let jobs = format!("pgjobq.jobs where (attributes->>'tenant')::int = {tenant} and {condition}");
    db.number(&format!("select count(*) from {jobs}")).await
}

const HOUR: Duration = Duration::from_secs(3600);
