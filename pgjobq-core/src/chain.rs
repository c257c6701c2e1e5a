//! Messages of errors, together with their causes.

/// Returns the message of an error and of its causes, outermost first.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let told = error.to_string();
        // Some errors, such as those of sqlx, contain the message of their cause.
        if !text.ends_with(&told) {
            text += &format!(": {told}");
        }
        cause = error.source();
    }
    text
}

/// Implements `Debug` as the message and its causes, because `fn main() -> Result<(), Box<dyn Error>>` prints the
/// `Debug` of an error.
#[macro_export]
#[doc(hidden)]
macro_rules! debug_as_message {
    ($($error:ty),* $(,)?) => {$(
        impl std::fmt::Debug for $error {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(&$crate::worker_api::chain(self))
            }
        }
    )*};
}
