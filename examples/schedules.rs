//! Jobs at given times: each second here, so that the example ends soon: `cargo run --example schedules`

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{NewSchedule, Overlap};

/// A schedule in the code fires while a worker with this code runs. Usually it is like "0 9 * * MON-FRI".
#[job(schedule = "* * * * * *", timezone = "Europe/Berlin", missed = "run_once")]
async fn heartbeat(ctx: JobContext) -> Result<()> {
    println!("heartbeat: {}", if ctx.tick().is_some() { "a tick" } else { "now" });
    Ok(())
}

#[job]
async fn report(tenant: i64) -> Result<()> {
    println!("report: tenant {tenant}");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;

    // A schedule is a value: the compiler checks the arguments, and `next_runs` asks no database.
    let weekly: NewSchedule = report::schedule("0 7 * * MON", 7).timezone("America/New_York");
    println!("tenant 7: {} runs are planned", weekly.next_runs(3)?.len());
    println!("never: {}", report::schedule("0 0 30 2 *", 7).next_runs(1).expect_err("no 30th of February"));

    // Set by name. The same again changes nothing, so a program may do so at each start.
    let schedules = client.schedules();
    schedules.upsert("report/7", weekly).await?;
    schedules.upsert("report/42", report::schedule("every 1s", 42).overlap(Overlap::Skip)).await?;

    let worker = Worker::builder(&client).build().await?.start();
    while schedules.get("report/42").await?.last_missed.is_none()
        || schedules.get("heartbeat").await?.last_tick.is_none()
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let skipped = schedules.get("report/42").await?.last_missed.map(|tick| tick.why).unwrap_or_default();
    println!("report/42: {}", skipped.split_whitespace().last().unwrap_or_default());

    // Paused: no ticks, and by hand all the same.
    schedules.pause("heartbeat").await?;
    let now = schedules.run_now("heartbeat").await?;
    heartbeat::handle(now).wait(&client).await?.into_result()?;
    for schedule in schedules.list().await? {
        println!("{} of `{}`: {}", schedule.text, schedule.kind, schedule.next_runs(2).len());
    }
    worker.shutdown().await?;
    Ok(())
}
