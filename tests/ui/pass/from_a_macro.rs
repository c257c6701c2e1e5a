//! Another macro may write a job.
#![deny(warnings)]
use pgjobq::prelude::*;

macro_rules! jobs {
    ($($name:ident($argument:ident: $type:ty, $context:ty) -> $value:ty),*) => {$(
        #[job(queue = "mail")]
        async fn $name($argument: $type, ctx: $context) -> Result<$value> {
            let _ = ctx;
            Ok($argument)
        }
    )*};
}

jobs!(numbers(numbers: Vec<u8>, JobContext) -> Vec<u8>, text(value: String, pgjobq::JobContext) -> String);

#[test]
fn another_macro_may_write_a_job() {
    let _: NewJob<Vec<u8>> = numbers::job(Vec::new());
    let _: NewJob<String> = text::job(String::new());
}
