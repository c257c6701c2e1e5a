use pgjobq::prelude::*;

#[job(timeout = "5 minutes")]
async fn in_words() {}

#[job(timeout = "5")]
async fn no_unit() {}

#[job(timeout = "m")]
async fn no_number() {}

#[job(timeout = "1.5h")]
async fn a_fraction() {}

#[job(timeout = "-5m")]
async fn negative() {}

#[job(timeout = "0s")]
async fn nothing() {}

#[job(timeout = "366d")]
async fn more_than_a_year() {}

#[job(timeout = "99999999999999999999d")]
async fn more_than_all_time() {}

#[job(retain = "forever")]
async fn retain_in_words() {}

#[job(retain = "36501d")]
async fn retain_for_more_than_a_century() {}

fn main() {}
