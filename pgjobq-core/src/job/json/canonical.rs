//! The one text of a JSON value: what PostgreSQL prints for it as `jsonb`. Equal values have equal texts, in Rust and in SQL.

use std::collections::HashMap;

use serde_json::value::RawValue;

/// Returns a JSON text as PostgreSQL prints it: the members of objects in the order of the lengths of their names and then of their
/// bytes, with a space after each comma and colon, and numbers without exponents.
pub(crate) fn canonical(json: &str) -> Result<String, serde_json::Error> {
    let mut out = String::with_capacity(json.len() + json.len() / 8);
    write(serde_json::from_str(json)?, &mut out)?;
    Ok(out)
}

fn write(value: &RawValue, out: &mut String) -> Result<(), serde_json::Error> {
    let json = value.get();
    match json.as_bytes().first() {
        Some(b'{') => {
            let members: HashMap<String, &RawValue> = serde_json::from_str(json)?;
            let mut members: Vec<_> = members.into_iter().collect();
            members.sort_unstable_by(|(one, _), (other, _)| (one.len(), one).cmp(&(other.len(), other)));
            list(out, ['{', '}'], members, |(name, value), out| {
                out.push_str(&serde_json::to_string(&name)?);
                out.push_str(": ");
                write(value, out)
            })
        }
        Some(b'[') => list(out, ['[', ']'], serde_json::from_str::<Vec<&RawValue>>(json)?, write),
        Some(b'"') => {
            out.push_str(&serde_json::to_string(&serde_json::from_str::<String>(json)?)?);
            Ok(())
        }
        Some(b'-' | b'0'..=b'9') => {
            out.push_str(&number(json));
            Ok(())
        }
        _ => {
            out.push_str(json);
            Ok(())
        }
    }
}

/// Writes values with commas between them, and brackets around them.
fn list<T>(
    out: &mut String,
    brackets: [char; 2],
    values: Vec<T>,
    write: impl Fn(T, &mut String) -> Result<(), serde_json::Error>,
) -> Result<(), serde_json::Error> {
    out.push(brackets[0]);
    for (at, value) in values.into_iter().enumerate() {
        out.push_str(if at == 0 { "" } else { ", " });
        write(value, out)?;
    }
    out.push(brackets[1]);
    Ok(())
}

/// Writes a number without its exponent, and a zero without its sign.
fn number(number: &str) -> String {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    // An enqueue rejects a number with a longer exponent, as PostgreSQL does.
    let Some(exponent) = exponent.parse::<i64>().ok().filter(|exponent| exponent.abs() < 200_000) else {
        return number.to_owned();
    };
    let (sign, digits) = mantissa.strip_prefix('-').map_or(("", mantissa), |digits| ("-", digits));
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{decimals}");
    let after = (decimals.len() as i64 - exponent).max(0) as usize;
    let moved = (exponent - decimals.len() as i64).max(0) as usize;
    let all = format!("{:0>width$}{}", all, "0".repeat(moved), width = (after + 1).saturating_sub(moved));
    let (whole, decimals) = all.split_at(all.len() - after);
    let whole = whole.trim_start_matches('0');
    let is_zero = all.bytes().all(|digit| digit == b'0');
    let (sign, whole) = (if is_zero { "" } else { sign }, if whole.is_empty() { "0" } else { whole });
    if after == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{decimals}") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_sorted_and_spaced_as_in_postgresql() {
        let json = r#"{"region":"eu","b":[1,{"y":null,"x":true}],"a":{},"B":"\u0041\n\"","c":[]}"#;
        let expected =
            r#"{"B": "A\n\"", "a": {}, "b": [1, {"x": true, "y": null}], "c": [], "region": "eu"}"#;
        assert_eq!(canonical(json).unwrap(), expected);
        assert_eq!(canonical(r#"{"a":1,"a":2}"#).unwrap(), r#"{"a": 2}"#);
    }

    #[test]
    fn numbers_have_no_exponents() {
        for (sent, printed) in [
            ("7", "7"),
            ("1.50", "1.50"),
            ("-1.5e3", "-1500"),
            ("1.2345E2", "123.45"),
            ("0.00012e2", "0.012"),
            ("1e-3", "0.001"),
            ("1e16", "10000000000000000"),
            ("-0", "0"),
            ("-0.00", "0.00"),
            ("0e9", "0"),
            ("340282366920938463463374607431768211455", "340282366920938463463374607431768211455"),
        ] {
            assert_eq!(canonical(sent).unwrap(), printed, "{sent}");
        }
    }
}
