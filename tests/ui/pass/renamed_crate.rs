//! pgjobq under another name, and through another crate.
#![deny(warnings)]
#![allow(unreachable_pub)]
mod app {
    pub mod jobs {
        pub use ::pgjobq as backend;
    }
}

#[queue::job(crate = queue)]
async fn renamed(number: u8) {
    let _ = number;
}

#[queue::job(crate = crate::pass::renamed_crate::app::jobs::backend, queue = "mail")]
async fn re_exported() {}

#[queue::job(crate = "app::jobs::backend")]
async fn quoted() {}

#[test]
fn crate_may_be_renamed_or_reexported() {
    let _: queue::NewJob<()> = renamed::job(5);
    let _ = (re_exported::job(), quoted::job());
}
