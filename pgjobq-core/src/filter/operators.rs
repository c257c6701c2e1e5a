//! Filters joined by the operators of Rust.

use std::ops::{BitAnd, BitOr, Not};

use super::expression::Filter;

/// The same as [`and`](Filter::and).
impl BitAnd for Filter {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        self.and(other)
    }
}

/// The same as [`or`](Filter::or).
impl BitOr for Filter {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.or(other)
    }
}

/// The same as the method [`not`](Filter::not).
impl Not for Filter {
    type Output = Self;

    fn not(self) -> Self {
        Self::not(self)
    }
}
