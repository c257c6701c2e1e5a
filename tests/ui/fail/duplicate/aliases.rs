use pgjobq::prelude::*;

#[job(aliases = ["old", "older", "old"])]
async fn one_alias_twice() {}

#[job(kind = "mail", aliases = ["mail"])]
async fn the_kind_itself() {}

#[job(aliases = ["the_name_itself"])]
async fn the_name_itself() {}

fn main() {}
