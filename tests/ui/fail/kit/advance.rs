//! Time passes only forwards.
use std::time::Duration;

use pgjobq::testing::TestQueue;

async fn mistake(pg: TestQueue) {
    pg.advance(-Duration::from_hours(1)).await.unwrap();
}

fn main() {}
