//! The job of the crate page.
use pgjobq::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Thumbnail {
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct ImageError;

impl std::fmt::Display for ImageError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("no image")
    }
}

impl std::error::Error for ImageError {}

#[job(queue = "images", retries = 5)]
async fn thumbnail(image_id: i64, width: u32) -> std::result::Result<Thumbnail, ImageError> {
    if width == 0 {
        return Err(ImageError);
    }
    Ok(Thumbnail { bytes: image_id.to_le_bytes().to_vec() })
}

#[job]
async fn tick() {}

#[test]
fn job_of_the_crate_page_compiles() {
    assert_eq!(thumbnail::KIND, "thumbnail");
    let _: NewJob<Thumbnail> = thumbnail::job(7, 320);
    let _: JobHandle<()> = tick::handle(JobId::new());
    let _called = thumbnail(7, 320);
    sent(enqueue_and_call);
}

fn sent<F: Future + Send + 'static>(_: fn(&'static Client) -> F) {}

async fn enqueue_and_call(client: &'static Client) {
    let _: Result<JobHandle<Thumbnail>, pgjobq::EnqueueError> = thumbnail::enqueue(client, 7, 320).await;
    let _: Result<Thumbnail, pgjobq::CallError> = thumbnail::call(client, 7, 320).await;
    let _: Result<JobHandle<()>, pgjobq::EnqueueError> = tick::job().enqueue(client).await;
}
