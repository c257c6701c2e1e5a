use pgjobq::prelude::*;

#[job(priority = "urgent")]
async fn unknown_word() {}

#[job(priority = 3)]
async fn number() {}

#[job(priority = Priority::High)]
async fn constant() {}

fn main() {}
