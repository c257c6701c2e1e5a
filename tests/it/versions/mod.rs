//! Jobs whose arguments have versions: older ones are lifted, newer ones wait for newer workers.

mod changed_args; // A person changes the arguments of a job.
mod checked; // A program reads the arguments of all waiting jobs.
mod computed; // What an enqueue from SQL computes from older arguments.
mod lifted; // Arguments of older versions.
mod waiting; // Versions that a worker does not read.

use pgjobq::prelude::*;
use serde::{Deserialize, Serialize};

use crate::harness::TestDb;

/// The arguments of the first version.
#[derive(Deserialize)]
pub(crate) struct PriceV1 {
    cents: i64,
}

/// Those of the second.
#[derive(Deserialize)]
pub(crate) struct PriceV2 {
    amount: String,
}

/// A price: `7.50 EUR`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Amount {
    cents: i64,
    currency: String,
}

impl From<PriceV1> for PriceV2 {
    fn from(old: PriceV1) -> Self {
        Self { amount: format!("{} EUR", old.cents) }
    }
}

impl TryFrom<PriceV2> for PriceArgs {
    type Error = String;

    fn try_from(old: PriceV2) -> Result<Self, String> {
        let (cents, currency) =
            old.amount.split_once(' ').ok_or(format!("`{}` has no currency", old.amount))?;
        let cents = cents.parse().map_err(|_| format!("`{cents}` is no number"))?;
        Ok(Self { amount: Amount { cents, currency: currency.to_owned() } })
    }
}

/// Returns its arguments as a text. Its third version; the kind was renamed, too.
#[job(version = 3, upcast_from = [PriceV1, PriceV2], aliases = ["cost"], retries = 1, backoff = "1ms")]
pub(crate) async fn price(ctx: JobContext, amount: Amount) -> Result<String> {
    match amount.cents {
        ..0 if ctx.failures() == 0 => Err("below zero".into()),
        cents => Ok(format!("{cents} {}", amount.currency)),
    }
}

/// Its first version is no longer read.
#[derive(Deserialize)]
pub(crate) struct TaxV2 {
    percent: u8,
}

impl From<TaxV2> for TaxArgs {
    fn from(old: TaxV2) -> Self {
        Self { per_mille: u16::from(old.percent) * 10 }
    }
}

#[job(version = 3, upcast_from = TaxV2)]
pub(crate) async fn tax(per_mille: u16) -> Result<u16> {
    Ok(per_mille)
}

/// Enqueues a job from SQL: its kind, its arguments and its version.
pub(crate) async fn stored(db: &TestDb, kind: &str, args: &str, version: u16) -> JobId {
    let sql = format!("select job from pgjobq.enqueue('{kind}', '{args}', version => {version})");
    db.text(&sql).await.parse().unwrap()
}
