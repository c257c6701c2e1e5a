//! Any text is a filter, or an error at one of its columns. A filter is read again as it is printed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgjobq::filter::Filter;

fuzz_target!(|text: &str| {
    match text.parse::<Filter>() {
        Ok(filter) => {
            let printed = filter.to_string();
            assert_eq!(printed.parse(), Ok(filter), "{printed}");
        }
        Err(error) => {
            let column = error.column.expect("an error of a text has a column");
            assert!((1..=text.chars().count() + 1).contains(&column), "column {column}: {error}");
        }
    }
});
