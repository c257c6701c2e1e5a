use pgjobq::prelude::*;

#[job(queue)]
async fn no_equals_sign() {}

#[job(retries =)]
async fn nothing_behind_it() {}

#[job(retries(5))]
async fn in_parentheses() {}

#[job(retries: 5)]
async fn with_a_colon() {}

#[job("mail")]
async fn no_key() {}

#[job(queue = "mail",, retries = 5)]
async fn two_commas() {}

#[job(queue = "mail" retries = 5)]
async fn no_comma() {}

fn main() {}
