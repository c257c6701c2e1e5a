//! The first version of the application.
#![allow(clippy::unwrap_used)]

use pgjobq::prelude::*;
use pgjobq::sqlx::{Postgres, Transaction};

mod app;

#[job(max_crashes = 1000, backoff = "10ms")]
async fn charge(order: i64, cents: i64, ledger: State<app::Ledger>) -> Result<()> {
    ledger.charge(order, cents, 1).await
}

/// One refund of an order, two at a time. It fails: that is what the second version mends.
#[job(unique = order, concurrency = 2, retries = 30000, backoff = "20ms")]
async fn refund(order: i64, cents: i64, ledger: State<app::Ledger>) -> Result<i64> {
    ledger.refund(order, cents, 1).await?;
    Err("the bank wants a currency".into())
}

fn main() {
    app::main(charge_order, take_back);
}

async fn charge_order(tx: &mut Transaction<'static, Postgres>, order: i64) {
    charge::enqueue(&mut **tx, order, order * 100).await.unwrap();
}

async fn take_back(client: &Client, order: i64) {
    refund::enqueue(client, order, order * 100).await.unwrap();
    // A refund, after which the order is charged anew with what it returned.
    let mut flow = Workflow::new("anew");
    let first = flow.add(refund::step(order, order * 100));
    flow.add(charge::step(order, first.output()));
    flow.enqueue(client).await.unwrap();
    client.schedules().upsert("refunds", refund::schedule("every 1s", 0, 0)).await.unwrap();
}
