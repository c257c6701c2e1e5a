//! The whole text of errors, so that a test shows exactly what a user reads.

use std::error::Error;

/// Returns an error and its causes, outermost first, one per line.
pub(crate) fn whole(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!("\n{error}");
        cause = error.source();
    }
    text
}

/// Checks the whole text of an error.
#[track_caller]
pub(crate) fn check_says<T>(result: Result<T, impl Error>, expected: &str) {
    match result {
        Ok(_) => panic!("expected this error, but the call succeeded: {expected}"),
        Err(error) => assert_eq!(whole(&error), expected),
    }
}
