//! Attributes are computed from the arguments of a job or a step, also if other items have their names.

use pgjobq::prelude::*;
use pgjobq::{AttributeValue, NewStep};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum Region {
    Europe,
    America,
}

impl Region {
    fn code(&self) -> &'static str {
        match self {
            Self::Europe => "eu",
            Self::America => "us",
        }
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Tenant(u64);

impl From<Tenant> for AttributeValue {
    fn from(tenant: Tenant) -> Self {
        tenant.0.into()
    }
}

#[job(attributes(tenant, "tenant.id" = tenant.0, region = region.code(), r#type, "note.length" = note.len(), large = size > 1 << 20, version = 3))]
async fn mirror(
    tenant: Tenant,
    region: Region,
    r#type: Option<String>,
    note: String,
    size: u64,
) -> Result<u64> {
    let _ = (tenant, region, r#type, note, size);
    Ok(1)
}

// A name of the generated code, and an argument in the text of a format.
#[job(attributes(attribute_0, encode_0, shown = format!("{attribute_0}-{encode_0}")))]
async fn named_like_code(attribute_0: u32, encode_0: char) {
    let _ = (attribute_0, encode_0);
}

#[job(attributes(trial = true))]
async fn constant() {}

#[test]
fn attributes_are_computed_from_arguments() {
    let _: NewJob<u64> = mirror::job(Tenant(7), Region::Europe, None, "note".to_owned(), 1);
    let mut flow = Workflow::new("attributes");
    let first = flow.add(mirror::step(Tenant(7), Region::America, None, "note", 1));
    let second: NewStep<u64> =
        mirror::step(Tenant(7), Region::Europe, Some("a".to_owned()), "", first.output());
    flow.add(second.attribute("large", false));
    flow.add(named_like_code::step(3, 'a'));
    flow.add(constant::step());
    let _ = (named_like_code::job(3, 'a'), constant::job());
}
