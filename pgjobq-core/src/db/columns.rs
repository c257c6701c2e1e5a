//! The columns of the rows that a statement takes as arrays.

/// Returns a column, or `None` if no row has a value in it: most have none.
pub(crate) fn some_of<'r, R, T>(rows: &[&'r R], pick: impl Fn(&'r R) -> Option<T>) -> Option<Vec<Option<T>>> {
    let column: Vec<Option<T>> = rows.iter().map(|row| pick(row)).collect();
    column.iter().any(Option::is_some).then_some(column)
}
