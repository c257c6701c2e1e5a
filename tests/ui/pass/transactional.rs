//! A transactional job may take its transaction at any position, beside other arguments, and redact some of them.
#![deny(warnings, clippy::pedantic)]
#![allow(unreachable_pub)]

use pgjobq::prelude::*;
use pgjobq::sqlx;

struct Rates;

mod audit {
    use pgjobq::prelude::*;

    #[job]
    pub async fn note(what: String) {
        drop(what);
    }
}

#[job(queue = "billing", redact = [card, r#type])]
async fn charge(
    ctx: JobContext,
    invoice: i64,
    tx: &mut pgjobq::Tx,
    card: String,
    r#type: u8,
    rates: State<Rates>,
) -> Result<u32> {
    let _ = (&*rates, card, r#type);
    sqlx::query("update invoices set paid = true where id = $1").bind(invoice).execute(&mut **tx).await?;
    audit::note::enqueue(&mut *tx, format!("{invoice} is paid")).await?;
    Ok(ctx.attempt())
}

#[job(redact = secret)]
async fn nothing_to_say(#[allow(unused)] tx: &mut Tx, secret: String) {
    drop(secret);
}

#[test]
fn transactional_job_takes_its_transaction_at_any_position() {
    // The transaction is the worker's to give.
    let _: NewJob<u32> = charge::job(7, "4111".to_owned(), 1);
    let _: NewJob<()> = nothing_to_say::job("hush".to_owned());
}
