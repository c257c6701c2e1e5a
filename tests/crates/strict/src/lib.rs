//! Jobs of a crate that denies every lint it can.

use pgjobq::prelude::*;
use serde::{Deserialize, Serialize};

/// A picture, scaled down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Thumbnail {
    /// The encoded picture.
    pub bytes: Vec<u8>,
}

/// The store of the pictures.
#[derive(Clone, Debug)]
pub struct Store {
    pictures: Vec<Vec<u8>>,
}

impl Store {
    async fn picture(&self, index: usize) -> Option<&Vec<u8>> {
        std::future::ready(self.pictures.get(index)).await
    }
}

/// Scales a picture down.
///
/// # Errors
///
/// If there is no such picture.
#[job(queue = "images", retries = 5, timeout = "30s", backoff = "1s..1m", priority = "high", retain = "7d")]
pub async fn thumbnail(
    ctx: JobContext,
    index: usize,
    width: usize,
    store: State<Store>,
) -> Result<Thumbnail> {
    let picture = store.picture(index).await.ok_or("there is no such picture")?;
    let width = width.max(usize::try_from(ctx.attempt())?);
    Ok(Thumbnail { bytes: picture.iter().take(width).copied().collect() })
}

/// A job that does nothing.
#[job]
pub async fn tick() {}

/// Only with a feature.
///
/// # Errors
///
/// None.
#[cfg(feature = "mail")]
#[job(kind = "mail/send", aliases = ["send_mail"])]
pub async fn send(to: String, text: String) -> Result<()> {
    let _sent = std::future::ready((to, text)).await;
    Ok(())
}

/// Jobs that are not for everyone.
mod private {
    use pgjobq::prelude::*;

    /// No Rust code enqueues this one.
    #[job(retain = "0s", max_crashes = 0)]
    async fn from_sql(tenant: Option<u32>) -> Result<(), std::io::Error> {
        let _known = std::future::ready(tenant).await;
        Ok(())
    }

    #[job]
    pub(crate) async fn swept(numbers: Vec<u8>) -> Result<u8, std::num::TryFromIntError> {
        std::future::ready(numbers.len()).await.try_into()
    }
}

/// Enqueues some of them.
///
/// # Errors
///
/// If the database does not take them.
pub async fn enqueue(client: &Client) -> std::result::Result<Vec<JobId>, pgjobq::EnqueueError> {
    let ids = vec![thumbnail::job(0, 320).job_id(), private::swept::job(vec![1, 2, 3]).job_id()];
    let _handle = tick::enqueue(client).await?;
    let _handle = thumbnail::job(1, 320).priority(Priority::Low).enqueue(client).await?;
    Ok(ids)
}
