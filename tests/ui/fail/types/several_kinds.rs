//! The compiler reports that the elements of an array differ. The documentation of `enqueue_all` names the error and the remedy.
use pgjobq::prelude::*;

#[job]
async fn count() -> Result<u32> {
    Ok(1)
}

#[job]
async fn name() -> Result<String> {
    Ok(String::new())
}

async fn both(client: Client) {
    let _ = client.enqueue_all([count::job(), name::job()]).await;
    let _ = client.enqueue_all([count::job().any(), name::job().any()]).await;
}

fn main() {}
