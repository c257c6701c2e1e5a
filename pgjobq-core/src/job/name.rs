//! The names that kinds and queues may have.

use std::fmt;

/// A name that is not allowed for a kind or a queue.
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidName {
    what: &'static str,
    name: String,
}

crate::debug_as_message!(InvalidName);

impl fmt::Display for InvalidName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, name } = self;
        write!(
            out,
            "the name of a {what} is 1 to 100 ASCII letters, digits and `_ - . : /`, but this one is "
        )?;
        match name.chars().count() {
            0 => write!(out, "empty"),
            length @ 101.. => {
                write!(out, "{length} characters long: {:?}…", name.chars().take(40).collect::<String>())
            }
            _ => write!(out, "{name:?}"),
        }
    }
}

impl std::error::Error for InvalidName {}

/// Checks the name of a `what`: a kind or a queue. The table has the same rule.
pub fn check(what: &'static str, name: &str) -> Result<(), InvalidName> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"_-.:/".contains(&c);
    if (1..=100).contains(&name.len()) && name.bytes().all(plain) {
        Ok(())
    } else {
        Err(InvalidName { what, name: name.to_owned() })
    }
}
