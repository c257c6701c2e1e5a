//! The functions that `#[job]` accepts, and its errors for those that it rejects. Rewrite the errors with
//! `TRYBUILD=overwrite`.

#[test]
fn jobs_that_compile() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}

#[test]
fn mistakes_are_reported_at_their_place() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*/*.rs");
}
