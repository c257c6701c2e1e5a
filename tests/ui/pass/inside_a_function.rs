//! A job may be inside a function's body, and use the types there.
#![deny(warnings)]
use pgjobq::prelude::*;

#[test]
fn function_body_may_hold_jobs() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Local(u8);

    #[job(kind = "outer")]
    async fn same_name(local: Local) -> Result<Local> {
        Ok(local)
    }

    {
        #[job(kind = "innermost")]
        async fn same_name() {}

        assert_eq!(same_name::KIND, "innermost");
    }
    assert_eq!(same_name::KIND, "outer");
    let _: NewJob<Local> = same_name::job(Local(5));
}
