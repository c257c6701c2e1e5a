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

#[job(redact = [card, password], key = card, weight = password.len(), attributes(password, has_card = card.is_empty()))]
async fn shown(card: String, password: String) {}

#[job(redact = card, key = &card.0, unique = card)]
async fn field(card: (String, u32)) {}

fn main() {}
