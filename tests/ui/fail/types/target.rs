use pgjobq::prelude::*;

#[job]
async fn welcome(user: i64) {
    let _ = user;
}

#[job]
async fn sign_up(ctx: JobContext, user: i64) -> Result<()> {
    welcome::enqueue(&ctx, user).await?;
    Ok(())
}

fn main() {}
