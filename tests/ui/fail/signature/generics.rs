#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job]
async fn any_type<T: Send>(value: T) {}

#[job]
async fn any_lifetime<'a>(name: std::borrow::Cow<'a, str>) {}

#[job]
async fn any_length<const N: usize>(bytes: [u8; N]) {}

#[job]
async fn constrained(name: String)
where
    String: Clone,
{
}

#[job]
async fn unnamed_type(name: impl Into<String>) {}

#[job]
async fn unnamed_inside(names: Vec<impl Into<String>>) {}

#[job]
async fn elided(name: std::borrow::Cow<'_, str>) {}

fn main() {}
