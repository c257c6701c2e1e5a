//! Jobs to look at, in each state, as in a shop on an ordinary day.

use std::time::Duration;

use pgjobq::filter::{all, kind, state, states};
use pgjobq::prelude::*;
use pgjobq::sqlx::{self, PgPool};

use super::app::{App, Fallible};
use super::jobs::{monthly_report, order, render_report, send_receipt, sync_stock, thumbnail};

const TENANTS: [&str; 4] = ["northwind", "contoso", "fabrikam", "tailspin"];
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Opens the shop.
pub(crate) async fn open(admin: &PgPool) -> Fallible<App> {
    let mut app = App::open(admin, "Shop", "ada").await?;
    for minute in 0..10 {
        trade(&app, minute).await?;
    }
    sqlx::query(include_str!("history.sql")).execute(app.client.pool()).await?;
    orders(&mut app).await?;
    wait_in_line(&app).await?;
    operate(&app).await?;
    Ok(app)
}

/// A minute of trade: enqueues jobs, waits for their end, and lets the minute pass.
async fn trade(app: &App, minute: u64) -> Fallible<()> {
    let client = &app.client;
    let worker = app.worker("mailer-7d4f9").queue("mail", 20).queue("images", 8).build().await?.start();
    let first = 4_200 + minute * 40;
    let receipts = (first..first + 19 + minute * 13 % 17).map(|order| {
        let tenant = TENANTS[order as usize % 4];
        send_receipt::job(order, tenant.to_owned(), format!("customer{order}@example.com"))
    });
    client.enqueue_all(receipts).await?;
    let pictures = first..first + 7 + minute * 7 % 9;
    client.enqueue_all(pictures.map(|n| thumbnail::job(format!("{n}.jpg"), 320))).await?;
    app.until(0, &states([JobState::Ready, JobState::Running])).await?;
    worker.shutdown().await?;
    let passed = i64::try_from(MINUTE.as_micros())?;
    let advance = include_str!("../../../pgjobq-core/queries/testing/advance.sql");
    sqlx::query(advance).bind(passed).execute(client.pool()).await?;
    Ok(())
}

/// Starts workers that stay, with jobs that run without an end.
async fn orders(app: &mut App) -> Fallible<()> {
    let mailer = app.worker("mailer-7d4f9").queue("mail", 20).queue("images", 8);
    let backend = app.worker("backend-58c6b").queue("orders", 10).queue("reports", 3).queue("sync", 4);
    app.start(mailer).await?;
    app.start(backend).await?;
    let client = &app.client;
    for (number, ends) in [(4_711, false), (4_712, true), (4_713, false), (4_714, true)] {
        let started = order(&format!("order {number}"), number).enqueue(client).await?;
        if ends {
            let _ = started.wait(client).await?;
        }
    }
    for month in ["2026-08", "2026-09", "2026-10", "2026-11", "2026-12"] {
        render_report::enqueue(client, month.to_owned(), 78).await?;
    }
    for tenant in TENANTS.into_iter().chain([TENANTS[0]; 5]).chain([TENANTS[2]; 2]) {
        sync_stock::enqueue(client, tenant.to_owned()).await?;
    }
    app.until(3, &kind("render_report").and(state(JobState::Running))).await?;
    app.until(4, &kind("sync_stock").and(state(JobState::Running))).await
}

/// Enqueues jobs that wait, each for another reason.
async fn wait_in_line(app: &App) -> Fallible<()> {
    let client = &app.client;
    client.queue("archive").save().await?;
    client.queue("exports").save().await?;
    for n in 0..12_u64 {
        let mail = send_receipt::job(u64::MAX - n * 31, TENANTS[0].to_owned(), "ada@example.com".to_owned());
        mail.delay(HOUR * (n as u32 + 1)).priority(Priority::Low).enqueue(client).await?;
    }
    for _ in 0..9 {
        client.kind("archive_order").enqueue(r#"{"order": 9223372036854775808}"#).queue("archive").await?;
    }
    for n in 0..5 {
        let export = client.kind("export_table").enqueue(format!(r#"{{"table": {n}}}"#)).queue("exports");
        export.key(format!("table/{n}")).attributes(r#"{"format": "parquet"}"#).await?;
    }
    client.kind("legacy_import").enqueue(r#"{"rows": [1, 2.50, 1e3]}"#).queue("mail").await?;
    let late = send_receipt::job(1, TENANTS[1].to_owned(), "late@example.com".to_owned()).queue("archive");
    late.expires_in(Duration::from_millis(1)).enqueue(client).await?;
    app.until(1, &state(JobState::Expired)).await
}

/// An operator pauses, cancels, requeues and schedules.
async fn operate(app: &App) -> Fallible<()> {
    let client = &app.client;
    let day = std::time::SystemTime::now() + 24 * HOUR;
    client.queue("exports").pause().until(day).because("the bucket is full").by("grace").await?;
    let stale = client.jobs(kind("send_receipt").and(state(JobState::Scheduled)));
    let first = stale.list(1).await?.jobs.remove(0).id;
    client.job(first).cancel().by("ada").because("ordered twice").await?;
    let audit = client.audit("cancel", format!("job {first}")).by("ada").because("ordered twice");
    audit.note().await?.end("The job is cancelled.").await?;
    let audit = client.audit("pause", "queue exports").by("grace").because("the bucket is full");
    audit.note().await?.end("The queue `exports` is paused.").await?;
    let urgent = client.jobs(kind("archive_order")).set_priority(Priority::High).by("grace");
    urgent.because("the auditors ask").await?;
    let slowly = client.jobs(all().and(state(JobState::Dead))).requeue().rate("1 per hour").by("ada");
    let _ = slowly.because("the mail server is back").start().await?;
    let monthly = monthly_report::schedule("0 6 1 * *", TENANTS[0].to_owned()).timezone("America/New_York");
    client.schedules().upsert("monthly_report/northwind", monthly).await?;
    client.schedules().pause("monthly_report/northwind").await?;
    Ok(())
}
