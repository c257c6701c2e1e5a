use pgjobq::prelude::*;

struct NotStored;

type Counted = Result<usize>;

mod mine {
    pub struct Batch<T>(pub T);
}

#[job(batch = 500)]
async fn item_is_not_stored(items: Batch<NotStored>) {
    let _ = items;
}

#[job(batch = 500)]
async fn result_behind_a_name(items: Batch<u64>) -> Counted {
    Ok(items.len())
}

#[job(batch = 500)]
async fn batch_of_another_kind(items: mine::Batch<u64>) {
    let _ = items.0;
}

fn main() {}
