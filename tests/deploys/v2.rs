//! The second version of the application: orders have a currency.
#![allow(clippy::unwrap_used)]

use pgjobq::prelude::*;
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
        Self { order: old.order, amount: Amount { cents: old.cents, currency: "EUR".to_owned() } }
    }
}

#[job(version = 2, upcast_from = ChargeV1, max_crashes = 1000, backoff = "10ms")]
async fn charge(order: i64, amount: Amount, ledger: State<app::Ledger>) -> Result<()> {
    if amount.currency != "EUR" {
        return Err(JobError::fatal("a currency that nobody sent"));
    }
    ledger.charge(order, amount.cents, 2).await
}

fn main() {
    app::main(async |tx, order| {
        let amount = Amount { cents: order * 100, currency: "EUR".to_owned() };
        charge::enqueue(&mut **tx, order, amount).await.unwrap();
    });
}
