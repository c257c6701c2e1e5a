//! What errors say: whole, so that whoever reads a test reads what a user reads.

use std::error::Error;

/// An error and its causes, outermost first, one to a line.
pub(crate) fn whole(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!("\n{error}");
        cause = error.source();
    }
    text
}

/// Checks all that a failure says.
#[track_caller]
pub(crate) fn check_says<T>(result: Result<T, impl Error>, expected: &str) {
    match result {
        Ok(_) => panic!("it was to fail and say: {expected}"),
        Err(error) => assert_eq!(whole(&error), expected),
    }
}
