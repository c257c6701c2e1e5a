//! The text form of filters.

use pgjobq::filter::Filter;

use super::drawn;

/// Parts from which wrong texts are made, besides single characters.
const PARTS: &[&str] = &[
    " and ",
    " or ",
    "not ",
    "(",
    ")",
    "'",
    "\"",
    " = ",
    " != ",
    "<",
    ">=",
    " in (",
    ", ",
    " like '%",
    " is null",
    " exists",
    " contains ",
    "-",
    "1e9",
    ".",
    "9999999999999999999999999999999999999999",
    "null",
    "true",
    "all",
    "kind",
    "priority = 'high'",
    "\\",
    "\0",
    "é",
    "\u{301}",
    "\u{10FFFF}",
    "--",
    "/*",
    ";",
    "$1",
    "created_at < '2027-01-31T12:00:00Z'",
    "''",
    "\t",
    "~",
    "|",
];

#[test]
fn every_filter_is_read_as_it_was_printed() {
    for _ in 0..20_000 {
        let filter = drawn::filter(5);
        let printed = filter.to_string();
        let read: Filter = printed.parse().unwrap_or_else(|error| panic!("{printed}\n{error}"));
        assert_eq!(read, filter, "{printed}");
        assert_eq!(read.to_string(), printed);
    }
}

/// Cuts, doubles, swaps and replaces pieces of a text.
fn mutated(text: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..=fastrand::usize(..4) {
        let (a, b) = (fastrand::usize(..=characters.len()), fastrand::usize(..=characters.len()));
        let range = a.min(b)..(a.max(b)).min(a.min(b) + 12);
        match fastrand::u8(..4) {
            0 => drop(characters.drain(range)),
            1 => {
                let piece = characters[range].to_vec();
                characters.splice(a..a, piece);
            }
            _ => drop(characters.splice(range, PARTS[fastrand::usize(..PARTS.len())].chars())),
        }
    }
    characters.into_iter().collect()
}

/// A text of any kind is a filter or an error at one of its columns, and what is read is read again as it is printed.
#[test]
fn mutated_texts_are_read_or_refused_at_a_column() {
    let mut read = 0;
    for _ in 0..100_000 {
        let text = mutated(&drawn::filter(3).to_string());
        match text.parse::<Filter>() {
            Ok(filter) => {
                read += 1;
                assert_eq!(filter.to_string().parse(), Ok(filter.clone()), "{text}");
                filter.compile().unwrap_or_else(|error| panic!("{text}\n{error}"));
            }
            Err(error) => {
                let column = error.column.unwrap_or_else(|| panic!("{text}\n{error}"));
                assert!((1..=text.chars().count() + 1).contains(&column), "{column} {text}");
            }
        }
    }
    assert!((1000..99_000).contains(&read), "{read}");
}
