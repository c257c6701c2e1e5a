#![allow(unused_variables)]
use std::cell::Cell;

use pgjobq::prelude::*;

#[job]
async fn counts(count: State<Cell<u8>>) {}

fn main() {}
