//! Panics of user code.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Returns the text of a panic as the error of an attempt, and drops its payload.
pub(super) fn panic_text(panic: Box<dyn Any + Send>) -> String {
    format!("it panicked: {}", panic_message(panic))
}

/// Returns the text of a panic and drops its payload, whose own panic is contained.
pub(super) fn panic_message(panic: Box<dyn Any + Send>) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("(with a payload that is not a string)").to_owned();
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(second);
    }
    text
}
