//! Random filters and jobs. They draw from the same few names and values, so that tests are often true.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use pgjobq::filter::{self, Filter, Operand};
use pgjobq::{AttributeValue, JobId, JobState, Priority};
use pgjobq_core::worker_api::Candidate;
use uuid::Uuid;

const NAMES: &[&str] = &[
    "tenant",
    "Tenant",
    "a\"b",
    "a'b",
    "a.b",
    "a\\b",
    "$kind",
    "@",
    "$",
    "kind",
    "null",
    "not",
    " ",
    "\n",
    "\u{1}",
    "ünï",
    "\u{1F600}",
    "x y",
    "%",
    "*",
    "[0]",
];
const TEXTS: &[&str] = &[
    "",
    "42",
    "1e3",
    "true",
    "null",
    "a",
    "A",
    "ab",
    "aab",
    "a\nb",
    "a%b",
    "a_b",
    "'",
    "\"",
    "\\",
    "$",
    "(?i)a",
    "***:a",
    "\u{7f}",
    "é",
    "e\u{301}",
    "\u{FFFF}",
    "\u{10FFFF}",
    "eu-west",
    "eu_west",
    "{\"a\":1}",
    "^a$",
    "\u{1}",
];
const PATTERNS: &[&str] = &[
    "",
    "%",
    "_",
    "__",
    "a%",
    "%b",
    "a_b",
    "a%b",
    "%a%",
    "\\%",
    "\\_",
    "a\\%b",
    "eu-%",
    "(?i)%",
    "***:%",
    "^a$",
    "%\\\\",
    "\\a",
    "%%_%",
    "e_",
    "_%_",
    ".*",
    "$",
    "%\"%",
    "\u{10FFFF}%",
];
const STATES: &[JobState] = &[JobState::Ready, JobState::Dead, JobState::Running];
const PRIORITIES: &[Priority] = &[Priority::Low, Priority::Normal, Priority::High, Priority::Critical];

fn one<T: Copy>(of: &[T]) -> T {
    of[fastrand::usize(..of.len())]
}

pub(super) fn value() -> AttributeValue {
    let integers = [
        0,
        1,
        -1,
        42,
        (1 << 53) - 1,
        1 << 53,
        (1 << 53) + 1,
        i64::MIN.into(),
        i64::MAX.into(),
        u64::MAX.into(),
    ];
    let floats = [
        0.0,
        -0.0,
        0.1,
        42.0,
        -1.5,
        9_007_199_254_740_992.0,
        9_007_199_254_740_994.0,
        9.223_372_036_854_776e18,
        1e23,
        1e300,
        -1e300,
        5e-324,
        f64::MAX,
        f64::MIN_POSITIVE,
    ];
    match fastrand::u8(..5) {
        0 => one(&integers).into_value(),
        1 => one(&floats).into(),
        2 => fastrand::bool().into(),
        _ => one(TEXTS).into(),
    }
}

trait IntoValue {
    fn into_value(self) -> AttributeValue;
}

impl IntoValue for i128 {
    fn into_value(self) -> AttributeValue {
        AttributeValue::Integer(self)
    }
}

fn text() -> String {
    one(TEXTS).to_owned()
}

fn id() -> JobId {
    Uuid::from_u128(fastrand::u128(..4)).into()
}

/// A moment of the few microseconds around a second.
fn created_at() -> Duration {
    Duration::from_micros(1_800_000_000_000_000 - 2 + fastrand::u64(..5))
}

/// A job of random attributes and columns.
pub(super) fn job() -> Candidate {
    let attribute = |_| {
        let value = if fastrand::u8(..8) == 0 { AttributeValue::Null } else { value() };
        (one(NAMES).to_owned(), value)
    };
    let attributes: BTreeMap<_, _> = (0..fastrand::usize(..12)).map(attribute).collect();
    Candidate {
        attributes,
        kind: text(),
        queue: text(),
        key: fastrand::bool().then(text),
        id: id(),
        state: one(STATES),
        priority: one(PRIORITIES),
        created_at: created_at().as_micros() as i64,
        attempts: fastrand::i32(..5),
        errors: (0..fastrand::usize(..3)).map(|_| text()).collect(),
    }
}

fn compared(operand: Operand, value: AttributeValue) -> Filter {
    match fastrand::u8(..6) {
        0 => operand.eq(value),
        1 => operand.ne(value),
        2 => operand.lt(value),
        3 => operand.le(value),
        4 => operand.gt(value),
        _ => operand.ge(value),
    }
}

fn of_attribute() -> Filter {
    let operand = filter::attribute(one(NAMES));
    match fastrand::u8(..8) {
        0 => operand.is_null(),
        1 => operand.exists(),
        2 => operand.like(one(PATTERNS)),
        3 => operand.in_((0..fastrand::usize(..4)).map(|_| value())),
        _ => compared(operand, value()),
    }
}

fn of_column() -> Filter {
    match fastrand::u8(..12) {
        0 => filter::kind(text()),
        1 => filter::queue(text()),
        2 => filter::key(text()),
        3 => filter::state(one(STATES)),
        4 => filter::priority(one(PRIORITIES)),
        5 => filter::id(id()),
        6 => filter::ids((0..fastrand::usize(..3)).map(|_| id())),
        7 => filter::created_before(UNIX_EPOCH + created_at()),
        8 => filter::created_after(UNIX_EPOCH + created_at()),
        9 => filter::error_contains(text()),
        10 => parsed_column(),
        _ => compared(filter::attempts(), if fastrand::bool() { 2.into() } else { 2.5.into() }),
    }
}

/// A test of a column that only the text form has.
fn parsed_column() -> Filter {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let column = one(&["kind", "queue", "key"]);
    let written = match fastrand::u8(..5) {
        0 => "key is null".to_owned(),
        1 => format!("{column} like {}", quoted(one(PATTERNS))),
        2 => format!("{column} {} {}", one(&["<", ">=", "!="]), quoted(one(TEXTS))),
        3 => format!("{column} in ({}, {})", quoted(one(TEXTS)), quoted(one(TEXTS))),
        _ => format!("priority {} 'high'", one(&["<", ">=", "!="])),
    };
    written.parse().unwrap_or_else(|error| panic!("{written}: {error}"))
}

/// A filter that is nested at most this deep.
pub(super) fn filter(levels: u8) -> Filter {
    if levels == 0 || fastrand::u8(..4) == 0 {
        return match fastrand::u8(..20) {
            0 => filter::all(),
            1..=5 => of_column(),
            _ => of_attribute(),
        };
    }
    let below = || filter(levels - 1);
    match fastrand::u8(..5) {
        0 => below().not(),
        1 | 2 => below().and(below()),
        _ => below().or(below()),
    }
}
