#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job]
async fn thumbnail(image_id: i64, ctx: JobContext, width: u32) {}

async fn enqueue(client: &Client) {
    let _ = thumbnail::job(7);
    let _ = thumbnail::enqueue(client, 7).await;
}

fn main() {}
