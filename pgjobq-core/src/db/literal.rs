//! Values as SQL literals, for a statement that goes to the server in one message with its transaction.
//!
//! PostgreSQL binds parameters only in messages of their own, so a lock between `begin` and `commit` would depend on
//! the client's next message.

use std::fmt::Write;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};
use uuid::Uuid;

use crate::db::ids::{QueueId, Shard};

/// A value that can be written as a literal. Texts are written as hexadecimal digits, so that nothing needs an escape
/// under any `standard_conforming_strings` and `client_encoding`.
pub(crate) trait Literal: Sync {
    /// The PostgreSQL type.
    fn kind(&self) -> &'static str;
    /// Appends the value as an expression, without its type.
    fn write(&self, out: &mut String);
}

macro_rules! integers {
    ($($integer:ty as $kind:literal),*) => {$(
        impl Literal for $integer {
            fn kind(&self) -> &'static str {
                $kind
            }

            fn write(&self, out: &mut String) {
                let _ = write!(out, "'{self}'");
            }
        }
    )*};
}

integers!(i16 as "int2", i32 as "int4", i64 as "int8", Shard as "int2", QueueId as "int4");

impl Literal for bool {
    fn kind(&self) -> &'static str {
        "bool"
    }

    fn write(&self, out: &mut String) {
        let _ = write!(out, "'{self}'");
    }
}

impl Literal for &str {
    fn kind(&self) -> &'static str {
        "text"
    }

    fn write(&self, out: &mut String) {
        out.push_str("pg_catalog.convert_from(pg_catalog.decode('");
        self.bytes().for_each(|byte| {
            let _ = write!(out, "{byte:02x}");
        });
        out.push_str("', 'hex'), 'UTF8')");
    }
}

impl Literal for &[&str] {
    fn kind(&self) -> &'static str {
        "text[]"
    }

    fn write(&self, out: &mut String) {
        write_array(self.iter(), out);
    }
}

impl Literal for Uuid {
    fn kind(&self) -> &'static str {
        "uuid"
    }

    fn write(&self, out: &mut String) {
        let _ = write!(out, "'{self}'");
    }
}

macro_rules! arrays {
    ($($item:ty as $kind:literal),*) => {$(
        impl Literal for &[$item] {
            fn kind(&self) -> &'static str {
                $kind
            }

            fn write(&self, out: &mut String) {
                out.push_str("'{");
                for (place, item) in self.iter().enumerate() {
                    let comma = if place == 0 { "" } else { "," };
                    let _ = write!(out, "{comma}{item}");
                }
                out.push_str("}'");
            }
        }
    )*};
}

arrays!(Uuid as "uuid[]", Shard as "int2[]", i64 as "int8[]");

impl Literal for &[Option<i64>] {
    fn kind(&self) -> &'static str {
        "int8[]"
    }

    fn write(&self, out: &mut String) {
        write_array(self.iter(), out);
    }
}

fn write_array<'v>(values: impl Iterator<Item = &'v (impl Literal + 'v)>, out: &mut String) {
    out.push_str("array[");
    for (place, value) in values.enumerate() {
        out.push_str(if place == 0 { "" } else { ", " });
        value.write(out);
    }
    out.push(']');
}

/// `None` is null, and its type is not known, which the argument of a function does not need.
impl<L: Literal> Literal for Option<L> {
    fn kind(&self) -> &'static str {
        self.as_ref().map_or("unknown", L::kind)
    }

    fn write(&self, out: &mut String) {
        match self {
            Some(value) => value.write(out),
            None => out.push_str("null"),
        }
    }
}

/// Returns the statement with its parameters `$1`, `$2`, … replaced by these values, and without its comments, which
/// name them too.
pub(crate) fn with_values(statement: &str, values: &[&dyn Literal]) -> SqlStr {
    let lines: Vec<_> = statement.lines().filter(|line| !line.starts_with("--")).collect();
    let statement = lines.join("\n");
    let mut out = String::new();
    let mut rest = &*statement;
    while let Some(place) = rest.find('$') {
        let (before, after) = (&rest[..place], &rest[place + 1..]);
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        out.push_str(before);
        let value = after[..digits].parse().ok().and_then(|number: usize| values.get(number.wrapping_sub(1)));
        match value {
            Some(value) => {
                value.write(&mut out);
                if value.kind() != "unknown" {
                    let _ = write!(out, "::{}", value.kind());
                }
            }
            None => {
                let _ = write!(out, "${}", &after[..digits]);
            }
        }
        rest = &after[digits..];
    }
    out.push_str(rest);
    AssertSqlSafe(out).into_sql_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_become_literals_with_their_types() {
        let (shard, ids, none) = (0_i16, [Uuid::nil()], None::<&str>);
        let values: [&dyn Literal; 3] = [&shard, &&ids[..], &none];
        assert_eq!(
            with_values("select f($1, $2, $3, $3)", &values).as_str(),
            "select f('0'::int2, '{00000000-0000-0000-0000-000000000000}'::uuid[], null, null)"
        );
    }

    #[test]
    fn text_has_nothing_to_escape() {
        let values: [&dyn Literal; 2] = [&"'; drop table x; --\\", &&["a", "é"][..]];
        let text = with_values("$1 $2", &values);
        assert!(text.as_str().starts_with("pg_catalog.convert_from(pg_catalog.decode('273b2064"), "{text:?}");
        assert!(text.as_str().ends_with("::text[]"), "{text:?}");
    }

    #[test]
    fn tenth_parameter_is_not_the_first() {
        let values: Vec<&dyn Literal> = vec![&1_i32; 10];
        assert_eq!(with_values("$10", &values).as_str(), "'1'::int4");
    }
}
