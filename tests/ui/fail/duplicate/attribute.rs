use pgjobq::prelude::*;

#[job(queue = "mail")]
#[job(retries = 5)]
async fn two_attributes() {}

fn main() {}
