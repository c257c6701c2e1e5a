//! The shipped schema with a pause at each of its `-- step:` comments, and a clock that can be set.

use std::collections::BTreeSet;

const BENCH: &str = include_str!("bench.sql");
const MARK: &str = "-- step: ";

/// The shipped text: everything that `Client::migrate` would run.
pub(crate) fn shipped() -> String {
    pgjobq::schema_sql("pgjobq").unwrap()
}

/// Returns the bench, and this text of the schema with its pauses, as one script.
pub(crate) fn with_pauses(schema: &str) -> String {
    let rendered: Vec<_> = schema.lines().map(with_pause).collect();
    // The pause comes first, because a call compiles a function; the code that uses the schema comes last.
    format!("set check_function_bodies = off;\n{BENCH}\n{}", rendered.join("\n"))
}

fn with_pause(line: &str) -> String {
    match line.split_once(MARK) {
        Some((before, step)) => format!("{before}perform races.pause('{step}');"),
        None => line.replace("clock_timestamp()", "races.clock()"),
    }
}

/// The names of the steps in a text.
pub(crate) fn steps(schema: &str) -> BTreeSet<&str> {
    schema.lines().filter_map(|line| line.split_once(MARK)).map(|(_, step)| step).collect()
}
