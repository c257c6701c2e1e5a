//! The jobs of the newsletter.

use std::time::Duration;

use pgjobq::prelude::*;
use sqlx::PgPool;

pub(crate) const REMIND_AFTER: Duration = Duration::from_hours(24);

/// The mail server behind a trait, so that tests can replace it.
pub(crate) trait Mailer: Send + Sync {
    fn send(&self, to: &str, subject: &str) -> std::io::Result<()>;
}

pub(crate) type AnyMailer = Box<dyn Mailer>;

#[job(queue = "mail", retries = 2, backoff = "5m")]
pub(crate) async fn ask_to_confirm(email: String, mailer: State<AnyMailer>) -> Result<()> {
    mailer.send(&email, "Please confirm your subscription")?;
    Ok(())
}

/// Writes again to a subscriber who has not confirmed.
#[job(queue = "mail")]
pub(crate) async fn remind(email: String, mailer: State<AnyMailer>, pool: State<PgPool>) -> Result<()> {
    let confirmed = "select confirmed from example_subscribers where email = $1";
    let confirmed: bool = sqlx::query_scalar(confirmed).bind(&email).fetch_one(&*pool).await?;
    if !confirmed {
        mailer.send(&email, "You have not confirmed your subscription")?;
    }
    Ok(())
}
