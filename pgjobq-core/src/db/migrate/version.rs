//! The version of this program, as the schema records it.

use std::fmt;

/// The version of this program: that of the crate, without what follows a `-`.
pub(crate) const PROGRAM: i32 = number(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
    + number(env!("CARGO_PKG_VERSION_MINOR")) * 1_000
    + number(env!("CARGO_PKG_VERSION_PATCH"));

/// The oldest program that can use the schema of this one: raise it with a change that an older program would fail on.
pub(crate) const OLDEST_PROGRAM: i32 = 1_000;

const fn number(digits: &str) -> i32 {
    let mut value = 0;
    let mut bytes = digits.as_bytes();
    while let [digit, rest @ ..] = bytes {
        value = value * 10 + (*digit - b'0') as i32;
        bytes = rest;
    }
    value
}

/// A version, which is shown as `1.2.3`.
pub(crate) struct Version(pub(crate) i32);

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(version) = self;
        write!(out, "{}.{}.{}", version / 1_000_000, version / 1_000 % 1_000, version % 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_that_of_the_crate() {
        let released = env!("CARGO_PKG_VERSION").split('-').next();
        assert_eq!(Some(Version(PROGRAM).to_string().as_str()), released);
        assert_eq!(Version(12_345_678).to_string(), "12.345.678");
    }

    #[test]
    fn own_schema_admits_this_program() {
        const { assert!(OLDEST_PROGRAM <= PROGRAM) };
    }
}
