//! What `#[job]` accepts, and what it says where it does not. Rewrite the sentences with `TRYBUILD=overwrite`.

#[test]
fn jobs_that_compile() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}

#[test]
fn mistakes_are_told_where_they_are_made() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*/*.rs");
}
