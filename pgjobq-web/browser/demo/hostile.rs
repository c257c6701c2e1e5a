//! Texts that run a script, close a tag or tear a page apart if they are not shown as texts.

use std::time::Duration;

use pgjobq::filter::{all, state};
use pgjobq::prelude::*;
use pgjobq::sqlx::PgPool;
use serde_json::{Value, json};

use super::app::{App, Fallible};
use super::jobs::{monthly_report, render_report};

/// Each opens a dialog if a page runs it.
const TEXTS: [&str; 8] = [
    r#"'"></td></script><script>alert(1)</script>"#,
    "<img src=x onerror=alert(2)>",
    "javascript:alert(3)//%0aalert(3)",
    r#"" onmouseover="alert(4)" autofocus onfocus="alert(4)" x=""#,
    "{{7*7}}${alert(5)}&lt;script&gt;alert(5)&lt;/script&gt;",
    "</time></code></pre></title></style><svg/onload=alert(6)>",
    "a/b.c%23#d?e&f=g+h\\i;\u{202e}txt.exe\u{2066}",
    "Z\u{301}\u{302}\u{303}\u{304}\u{305} \u{fdfd}\u{fdfd}\u{fdfd} \u{1f469}\u{200d}\u{1f467}",
];
/// Names of queues, of which only letters, digits and these signs are allowed.
const NAMES: [&str; 5] = ["a/b.c:d", "..", "./../x", "-", "_:/.-"];

#[job(retries = 0)]
async fn fails(message: String) -> Result<()> {
    Err(message.into())
}

#[job]
async fn keeps(value: Value) -> Result<Value> {
    Ok(value)
}

/// Opens the application.
pub(crate) async fn open(admin: &PgPool) -> Fallible<App> {
    let mut app = App::open(admin, TEXTS[0], TEXTS[1]).await?;
    let long = "n".repeat(100);
    for name in NAMES.into_iter().chain([&*long]) {
        app.client.queue(name).save().await?;
    }
    let worker = app.worker(TEXTS[0]).queue(NAMES[0], 5).queue("reports", 2);
    app.start(worker).await?;
    let client = &app.client;
    for text in TEXTS {
        fill(client, text, &long).await?;
    }
    app.until(3 * TEXTS.len() as u64, &state(JobState::Dead)).await?;
    client.queue("..").pause().because(TEXTS[0]).by(TEXTS[1]).await?;
    client.kind("fails").pause().because(TEXTS[3]).by(TEXTS[2]).await?;
    client.jobs(all()).set_priority(Priority::High).because(TEXTS[5]).by(TEXTS[6]).await?;
    let _ = client.jobs(all()).cancel().rate("1 per hour").because(TEXTS[4]).by(TEXTS[3]).start().await?;
    client.audit("pause", TEXTS[0]).by(TEXTS[1]).because(TEXTS[7]).note().await?.end(TEXTS[5]).await?;
    let schedule = monthly_report::schedule("0 6 1 * *", TEXTS[0].to_owned());
    client.schedules().upsert("a/b.c:d/../-", schedule).await?;
    Ok(app)
}

/// Enqueues jobs whose texts all have this one in them.
async fn fill(client: &Client, text: &str, long: &str) -> Fallible<()> {
    fails::job(text.to_owned()).queue(NAMES[0]).key(text).attribute("note", text).enqueue(client).await?;
    fails::job(format!("{long}{text}{long}")).queue(NAMES[0]).attribute("long", long).enqueue(client).await?;
    let number = Value::from(u64::MAX / 2 + 1);
    let value = json!({ text: text, "number": number, "list": [text, [text, { text: long.repeat(20) }]] });
    keeps::job(value.clone()).queue(NAMES[0]).key(text).enqueue(client).await?;
    let hour = Duration::from_secs(3600);
    keeps::job(value).attribute("note", text).queue(long).delay(hour).enqueue(client).await?;
    client.kind(long).enqueue("{}").queue("./../x").key(text).await?;
    render_report::job(text.to_owned(), 10).attribute("note", text).enqueue(client).await?;
    let mut flow = Workflow::new(text);
    let kept = flow.add(keeps::step(json!(text)).queue(NAMES[0]).named(text));
    let name: String = text.chars().chain(long.chars()).take(100).collect();
    flow.add(fails::step(text.to_owned()).queue(NAMES[0]).named(name).after(&kept));
    flow.enqueue(client).await?;
    Ok(())
}
