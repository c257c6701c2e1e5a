//! Schedules in attributes, and schedules with arguments.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{Missed, NewSchedule, Overlap};

struct Reports;

#[job(
    schedule = "0 9 * * MON-FRI",
    timezone = "Europe/Berlin",
    missed = "run_once",
    overlap = "cancel_running",
    jitter = "5m",
    starts = "2027-01-01T00:00:00+01:00",
    ends = "2099-01-01T00:00:00Z"
)]
async fn daily_report(ctx: JobContext, reports: State<Reports>) -> Result<()> {
    let _ = (ctx.tick(), reports);
    Ok(())
}

#[job(missed = "run_all(10)", schedule = [morning = "0 9 * * *", late = "every 90m"], kind = "reports/often")]
async fn often() {}

#[job(schedule = "@hourly", overlap = "cancel_running", unique = args, unique_while = "waiting")]
async fn newest() {}

#[job]
async fn for_tenant(text: String, tenant: Option<i64>) {
    let _ = (text, tenant);
}

#[test]
fn schedules_are_values() {
    let schedule: NewSchedule = for_tenant::schedule("every 1h", "text".to_owned(), Some(42));
    let schedule = schedule.missed(Missed::RunAll(3)).overlap(Overlap::Skip).jitter(Duration::from_secs(1));
    let runs = schedule.next_runs(2).unwrap();
    assert_eq!(runs[1].duration_since(runs[0]).unwrap(), Duration::from_secs(3600));
    assert!(NewSchedule::new("@daily", daily_report::job().priority(Priority::High)).next_runs(1).is_ok());
    assert!(often::schedule("never").next_runs(1).is_err());
}
