//! How errors are shown: as a message and its causes.

/// An error and its causes, outermost first.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let told = error.to_string();
        // Many an error, those of sqlx for one, tells its cause itself.
        if !text.ends_with(&told) {
            text += &format!(": {told}");
        }
        cause = error.source();
    }
    text
}

/// `fn main() -> Result<(), Box<dyn Error>>` prints the `Debug` of an error: so ours is its message and its causes.
#[macro_export]
#[doc(hidden)]
macro_rules! debug_as_message {
    ($($error:ty),* $(,)?) => {$(
        impl std::fmt::Debug for $error {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(&$crate::__private::chain(self))
            }
        }
    )*};
}
