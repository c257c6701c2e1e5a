//! The names of the time zones, as the library of time zones has them: a test compares the two.

const ZONES: &str = include_str!("zones.txt");

/// Returns all names.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    ZONES.lines()
}
