#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job(redact = [card, pasword])]
async fn charge(ctx: JobContext, card: String, password: String) {}

#[job(redact = ctx)]
async fn the_context(ctx: JobContext) {}

#[job(redact = "card")]
async fn in_quotes(card: String) {}

#[job(redact)]
async fn nothing(card: String) {}

fn main() {}
