//! The first version of the application.
#![allow(clippy::unwrap_used)]

use pgjobq::prelude::*;

mod app;

#[job(max_crashes = 1000, backoff = "10ms")]
async fn charge(order: i64, cents: i64, ledger: State<app::Ledger>) -> Result<()> {
    ledger.charge(order, cents, 1).await
}

fn main() {
    app::main(async |tx, order| {
        charge::enqueue(&mut **tx, order, order * 100).await.unwrap();
    });
}
