use pgjobq::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct SendV1 {
    user: i64,
}

#[derive(Deserialize)]
struct SendV2 {
    users: Vec<i64>,
}

impl From<SendV2> for SendArgs {
    fn from(old: SendV2) -> Self {
        Self { users: old.users }
    }
}

// There is no way from `SendV1` to `SendV2`.
#[job(version = 3, upcast_from = [SendV1, SendV2])]
async fn send(users: Vec<i64>) {}

struct DrawV1 {
    width: u32,
}

impl From<DrawV1> for DrawArgs {
    fn from(old: DrawV1) -> Self {
        Self { width: old.width }
    }
}

// `DrawV1` is not `Deserialize`.
#[job(version = 2, upcast_from = DrawV1)]
async fn draw(width: u32) {}

#[derive(Deserialize)]
struct PrintV1 {
    pages: u32,
}

// The conversion forgets an argument.
impl From<PrintV1> for PrintArgs {
    fn from(old: PrintV1) -> Self {
        Self { pages: old.pages }
    }
}

#[job(version = 2, upcast_from = PrintV1)]
async fn print(pages: u32, color: bool) {}

fn main() {}
