#![allow(unused_variables)]
use pgjobq::prelude::*;

struct Mailer;

impl Mailer {
    #[job]
    async fn send(user_id: i64) {}
}

fn main() {}
