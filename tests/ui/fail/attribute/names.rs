use pgjobq::prelude::*;

#[job(queue = "")]
async fn empty_queue() {}

#[job(queue = "two words")]
async fn queue_with_a_space() {}

#[job(kind = "größe")]
async fn kind_beyond_ascii() {}

#[job(kind = "line\nbreak")]
async fn kind_with_a_line_break() {}

#[job(kind = "a234567890b234567890c234567890d234567890e234567890f234567890g234567890h234567890i234567890j2345678901")]
async fn long_kind() {}

#[job(aliases = ["good", "not good", ""])]
async fn bad_aliases() {}

#[job]
async fn größe() {}

#[job(kind = "a-z_A.Z:0/9")]
async fn every_character_that_a_name_may_have() {}

fn main() {}
