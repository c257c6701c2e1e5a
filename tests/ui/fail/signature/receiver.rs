#![allow(unused_variables)]
use pgjobq::prelude::*;

struct Mailer;

impl Mailer {
    #[job]
    async fn send(&self, user_id: i64) {}

    #[job]
    async fn send_once(self) {}
}

trait Sends {
    #[job]
    async fn send(&self);
}

fn main() {}
