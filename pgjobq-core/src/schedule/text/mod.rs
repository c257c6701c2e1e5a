//! The texts of a schedule, checked: its ticks and its time zone. The crate of the macro has this folder as well, by a link, so that
//! a mistake in `#[job]` does not compile. It depends on nothing.

mod fields;
pub(crate) mod syntax;
pub(crate) mod word;
pub(crate) mod zones;
