//! The second version of the application: orders have a currency.
#![allow(clippy::unwrap_used)]

use pgjobq::prelude::*;
use pgjobq::sqlx::{Postgres, Transaction};
use serde::{Deserialize, Serialize};

mod app;

#[derive(Serialize, Deserialize)]
struct Amount {
    cents: i64,
    currency: String,
}

/// The arguments of the first version.
#[derive(Deserialize)]
struct ChargeV1 {
    order: i64,
    cents: i64,
}

impl From<ChargeV1> for ChargeArgs {
    fn from(old: ChargeV1) -> Self {
        Self { order: old.order, amount: euros(old.cents) }
    }
}

#[job(version = 2, upcast_from = ChargeV1, max_crashes = 1000, backoff = "10ms")]
async fn charge(order: i64, amount: Amount, ledger: State<app::Ledger>) -> Result<()> {
    if amount.currency != "EUR" {
        return Err(JobError::fatal("a currency that nobody sent"));
    }
    ledger.charge(order, amount.cents, 2).await
}

/// The arguments of the first version, in which the order had another name.
#[derive(Deserialize)]
struct RefundV1 {
    order: i64,
    cents: i64,
}

impl From<RefundV1> for RefundArgs {
    fn from(old: RefundV1) -> Self {
        Self { order_id: old.order, amount: euros(old.cents) }
    }
}

#[job(version = 2, upcast_from = RefundV1, unique = order_id, concurrency = 2, retries = 30000, backoff = "20ms")]
async fn refund(order_id: i64, amount: Amount, ledger: State<app::Ledger>) -> Result<i64> {
    ledger.refund(order_id, amount.cents, 2).await?;
    Ok(amount.cents)
}

fn euros(cents: i64) -> Amount {
    Amount { cents, currency: "EUR".to_owned() }
}

fn main() {
    app::main(charge_order, take_back);
}

async fn charge_order(tx: &mut Transaction<'static, Postgres>, order: i64) {
    charge::enqueue(&mut **tx, order, euros(order * 100)).await.unwrap();
}

async fn take_back(client: &Client, order: i64) {
    refund::enqueue(client, order, euros(order * 100)).await.unwrap();
}
