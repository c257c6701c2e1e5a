//! One compile shows every mistake.
use pgjobq::prelude::*;

#[job(queue = "", retry = 3, max_crashes = -1, timeout = "soon", timeout = "5m", priority)]
fn everything_is_wrong(&self, name: &str, (a, b): (u8, u8)) {}

fn main() {}
