//! A worker runs jobs on several threads, so their futures must be `Send`.
#![allow(unused_variables)]
use std::rc::Rc;

use pgjobq::prelude::*;

#[job]
async fn stays_on_one_thread() {
    let shared = Rc::new(5);
    std::future::ready(()).await;
    drop(shared);
}

fn main() {}
