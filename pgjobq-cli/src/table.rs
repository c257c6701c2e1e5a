//! A table of text, in columns that are as wide as they must be.

use std::fmt;

use unicode_width::UnicodeWidthStr as _;

use crate::text::plain;

/// A table of text. Columns whose name begins with `>` are aligned to the right.
pub(crate) struct Table {
    head: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &'static [&'static str]) -> Self {
        Self { head, rows: Vec::new() }
    }

    /// Adds a row. What would control the terminal is escaped.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| plain(&cell)).collect());
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width());
        cells.chain([self.name(column).width()]).max().unwrap_or(0)
    }

    fn name(&self, column: usize) -> &'static str {
        self.head[column].trim_start_matches('>')
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = 0..self.head.len();
        let widths: Vec<usize> = columns.clone().map(|column| self.width(column)).collect();
        let names: Vec<String> = columns.map(|column| self.name(column).to_owned()).collect();
        for row in [&names].into_iter().chain(&self.rows) {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate().take(widths.len()) {
                let padding = " ".repeat(widths[column] - cell.width());
                let gap = if column == 0 { "" } else { "  " };
                line += &match self.head[column].starts_with('>') {
                    true => format!("{gap}{padding}{cell}"),
                    false => format!("{gap}{cell}{padding}"),
                };
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_whatever_they_hold() {
        let mut table = Table::new(&["NAME", ">JOBS"]);
        table.row(["日本".to_owned(), "7".to_owned()]);
        table.row(["a\u{1b}".to_owned(), "12345".to_owned()]);
        assert_eq!(table.to_string(), "NAME      JOBS\n日本         7\na\\u{1b}  12345\n");
    }
}
