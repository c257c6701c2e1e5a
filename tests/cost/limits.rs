//! Comparing a figure with its limit.

/// The tolerance of a figure above its limit: versions of PostgreSQL differ by that much.
const SLACK: f64 = 1.1;

/// Panics unless the figure is within its limit.
#[track_caller]
pub(crate) fn at_most(what: &str, figure: f64, limit: f64) {
    eprintln!("{what:<60} {figure:>9.1} of {limit:>7.1}");
    assert!(figure <= limit * SLACK, "{what}: {figure:.1}, limit {limit:.1}");
}
