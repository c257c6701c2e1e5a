//! A job is as visible as its function, and one `use` imports both.
#![deny(warnings)]
#![allow(unreachable_pub)]
use pgjobq::prelude::*;

mod mail {
    use pgjobq::prelude::*;

    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Letter(pub String);

    mod private {
        /// A job of a module that is private itself.
        #[pgjobq::job]
        pub async fn inner() {}
    }

    pub use private::inner;

    #[job(kind = "mail/send", queue = "mail")]
    pub async fn send(letter: Letter) -> Result<usize> {
        Ok(letter.0.len())
    }

    #[job]
    pub(crate) async fn visible_in_the_crate() {}

    #[job]
    pub(in crate::pass::modules::mail) async fn visible_here() {}

    pub fn here() -> NewJob<()> {
        visible_here::job()
    }
}

use mail::{inner, send};

#[test]
fn job_is_as_visible_as_its_function() {
    assert_eq!(send::KIND, "mail/send");
    assert_eq!(mail::visible_in_the_crate::KIND, "visible_in_the_crate");
    let _ = (send(mail::Letter(String::new())), inner(), mail::here(), inner::job());
    let _: NewJob<usize> = send::job(mail::Letter(String::new()));
}
