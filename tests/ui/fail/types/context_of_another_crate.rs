//! The macro recognizes a type by its last segment; the compiler checks which one it is.
use pgjobq::job;

mod other {
    pub struct JobContext;
    pub struct State<T>(pub T);
}

#[job]
async fn misled(ctx: other::JobContext, state: other::State<u8>) {
    let _ = (ctx, state.0);
}

fn main() {}
