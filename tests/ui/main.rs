//! The functions that `#[job]` accepts, and its errors for those that it rejects. Rewrite the errors with
//! `TRYBUILD=overwrite`.

#![allow(clippy::unwrap_used)]

// For `pass::renamed_crate`: only here does an `extern crate` give the crate a name everywhere.
extern crate pgjobq as queue;

mod pass;

#[test]
fn mistakes_are_reported_at_their_place() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*/*.rs");
}
