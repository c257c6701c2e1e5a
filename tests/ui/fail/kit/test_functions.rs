//! A test with jobs is an async function with one argument.
use pgjobq::testing::TestQueue;

#[pgjobq::test]
fn not_async(pg: TestQueue) {}

#[pgjobq::test]
async fn without_a_queue() {}

#[pgjobq::test]
async fn with_more(pg: TestQueue, number: u32) {}

#[pgjobq::test]
async fn generic<T>(pg: TestQueue) {}

#[pgjobq::test(migrations = "migrations")]
async fn unknown_key(pg: TestQueue) {}

#[pgjobq::test]
struct NoFunction;

fn main() {}
