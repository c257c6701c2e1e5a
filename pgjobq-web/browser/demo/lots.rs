//! Jobs to act on, in lots that look alike: each way to the dashboard acts on one of them.

use std::time::Duration;

use pgjobq::filter::state;
use pgjobq::prelude::*;
use pgjobq::sqlx::PgPool;

use super::app::{App, Fallible};
use super::jobs::{order, render_report};

/// The names of the lots, without numbers, which the groups of dead jobs leave out.
const LOTS: [&str; 3] = ["amber", "birch", "coral"];
/// The number of jobs in each state of a lot.
const JOBS: usize = 8;

/// Loses a parcel, unless it is empty.
#[job(retries = 0)]
async fn deliver(lot: String, weight: u32) -> Result<()> {
    match weight {
        0 => Ok(()),
        _ => Err(format!("a parcel of {lot} is lost").into()),
    }
}

/// Opens the application. Then nobody serves the queue of the parcels, so that they stay in the state that an action leaves them in.
pub(crate) async fn open(admin: &PgPool) -> Fallible<App> {
    let mut app = App::open(admin, "Parcels", "ada").await?;
    app.client.queue("parcels").save().await?;
    let carrier = app.worker("carrier").queue("parcels", 20).build().await?.start();
    let parcels = LOTS.iter().flat_map(|lot| (0..2 * JOBS).map(|n| parcel(lot, (n % 2) as u32)));
    app.client.enqueue_all(parcels).await?;
    app.until((LOTS.len() * JOBS) as u64, &state(JobState::Dead)).await?;
    app.until((LOTS.len() * JOBS) as u64, &state(JobState::Completed)).await?;
    carrier.shutdown().await?;
    for lot in LOTS {
        fill(&app.client, lot).await?;
    }
    let office = app.worker("office").queue("orders", 10).queue("reports", LOTS.len() * 2);
    app.start(office).await?;
    let client = &app.client;
    for lot in LOTS {
        order(&format!("{lot} 3"), 3).enqueue(client).await?;
        order(&format!("{lot} 7"), 7).enqueue(client).await?;
    }
    // A step behind a payment that was declined.
    app.until(LOTS.len() as u64, &state(JobState::Held)).await?;
    Ok(app)
}

async fn fill(client: &Client, lot: &str) -> Fallible<()> {
    let hour = Duration::from_secs(3600);
    client.queue(format!("{lot}.shelf")).save().await?;
    client.enqueue_all((0..JOBS).map(|_| parcel(lot, 0))).await?;
    client.enqueue_all((0..JOBS).map(|_| parcel(lot, 0).delay(hour))).await?;
    let reports = (0..2).map(|_| render_report::job(lot.to_owned(), 10).attribute("lot", lot));
    client.enqueue_all(reports).await?;
    Ok(())
}

fn parcel(lot: &str, weight: u32) -> NewJob<()> {
    deliver::job(lot.to_owned(), weight).queue("parcels").attribute("lot", lot)
}
