//! A job whose arguments have changed: old rows are lifted, newer ones wait: `cargo run --example evolving_jobs`

use pgjobq::prelude::*;
use pgjobq::sqlx;
use serde::{Deserialize, Serialize};

/// How it is stored now: the width was a number of pixels, and is one of three sizes today.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Size {
    Small,
    Medium,
    Large,
}

/// The arguments of version 1, which jobs of the release before have. Rows of it may still wait.
#[derive(Deserialize)]
struct ThumbnailV1 {
    image: i64,
    width: u32,
}

/// How version 1 becomes version 2. `#[job]` makes the struct `ThumbnailArgs` of the arguments below.
impl From<ThumbnailV1> for ThumbnailArgs {
    fn from(ThumbnailV1 { image, width }: ThumbnailV1) -> Self {
        let size = match width {
            0..=200 => Size::Small,
            201..=800 => Size::Medium,
            _ => Size::Large,
        };
        Self { image, size }
    }
}

#[job(version = 2, upcast_from = ThumbnailV1)]
async fn thumbnail(image: i64, size: Size) -> Result<String> {
    Ok(format!("image {image}, {size:?}"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;

    // What older and newer releases have enqueued: SQL can write any version, and writes the first one unless it says so.
    let enqueue = |args: &'static str, version: i32| {
        let query = sqlx::query_scalar::<_, sqlx::types::Uuid>(
            "select job from pgjobq.enqueue('thumbnail', $1::jsonb, version => $2)",
        );
        query.bind(args).bind(version).fetch_one(client.pool())
    };
    let old = JobId::from(enqueue(r#"{"image": 1, "width": 640}"#, 1).await?);
    let typo = JobId::from(enqueue(r#"{"image": 2, "size": "Tiny"}"#, 2).await?);
    let newer = JobId::from(enqueue(r#"{"images": [3], "size": "Large"}"#, 3).await?);
    let new = thumbnail::enqueue(&client, 4, Size::Small).await?;

    // A deploy pipeline asks this before the new program goes live, and stops if `into_result()` is an error.
    let report = pgjobq::check_waiting(&client).await?;
    println!("{report}");
    println!("may go live: {}", report.into_result().is_ok());

    // An operator corrects the arguments that would die.
    let changed =
        client.job(typo).set_args(thumbnail::job(2, Size::Small)).by("ada").because("a typo").await?;
    println!("corrected: {changed:?}");

    let worker = Worker::builder(&client).build().await?.start();
    for job in [thumbnail::handle(old), thumbnail::handle(typo), new] {
        println!("{:?}", job.wait(&client).await?);
    }
    println!("{}", client.explain(newer).await?);
    worker.shutdown().await?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    /// Fails if a job stores its arguments in another shape without a new version.
    #[test]
    fn stored_arguments_keep_their_shape() {
        pgjobq::testing::check_shapes("examples/evolving_jobs.txt").unwrap();
    }
}
