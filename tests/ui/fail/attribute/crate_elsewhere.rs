#[pgjobq::job(crate = nowhere::pgjobq)]
async fn lost(number: u8) {
    let _ = number;
}

fn main() {}
