#![allow(unused_variables)]
use pgjobq::prelude::*;
use std::borrow::Cow;

struct User<'a> {
    name: &'a str,
}

#[job]
async fn of_a_type(user: User<'_>) {}

#[job]
async fn static_one(user: User<'static>) {}

#[job]
async fn a_cow(name: Cow<'_, str>) {}

fn main() {}
