//! Older arguments are lifted, whatever the names of the arguments and the way of the conversion.

use pgjobq::prelude::*;
use serde::{Deserialize, Serialize};

mod old {
    use serde::Deserialize;

    #[derive(Deserialize)]
    pub(super) struct V1 {
        pub(super) stored: String,
    }

    #[derive(Deserialize)]
    pub(super) struct V2 {
        pub(super) stored: u32,
        pub(super) args: Option<u8>,
    }
}

/// Not every text is a number, so this conversion can fail.
impl TryFrom<old::V1> for old::V2 {
    type Error = std::num::ParseIntError;

    fn try_from(old: old::V1) -> Result<Self, Self::Error> {
        Ok(Self { stored: old.stored.parse()?, args: None })
    }
}

impl From<old::V2> for TypeArgs {
    fn from(old: old::V2) -> Self {
        Self { stored: old.stored.into(), args: old.args.unwrap_or(1), context: None }
    }
}

#[job(kind = "versions_type", version = 3, upcast_from = [old::V1, old::V2], unique = stored)]
pub(crate) async fn r#type(stored: u64, ctx: JobContext, args: u8, context: Option<String>) {
    let _ = (stored, ctx, args, context);
}

#[derive(Serialize, Deserialize)]
struct Page {
    number: u32,
}

#[derive(Deserialize)]
struct PrintV1 {}

impl From<PrintV1> for PrintAllArgs {
    fn from(_: PrintV1) -> Self {
        Self {}
    }
}

#[job(upcast_from = PrintV1, version = 2)]
async fn print_all() {}

#[job(version = 1)]
async fn first(page: Page) {
    let _ = page.number;
}

#[allow(dead_code)]
fn usage() {
    let _ = r#type::job(1, 2, None);
    let _ = print_all::job();
    let _ = first::job(Page { number: 1 });
}
