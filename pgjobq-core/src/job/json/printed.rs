//! The length of a JSON text as PostgreSQL prints it, and what PostgreSQL cannot store.
//!
//! `jsonb` prints a space after each colon and comma, characters in place of most escapes, and numbers without exponents:
//! `1e308` has 5 characters, and is printed with 309. What is claimed, and sent to a worker, is the printed text.

/// The deepest nesting of arrays and objects: serde_json reads back no more.
const MAX_DEPTH: usize = 127;
/// The limits of PostgreSQL's `numeric`.
const MAX_DIGITS: i64 = 131_072;
const MAX_DECIMALS: i64 = 16_383;
/// The first exponent, positive or negative, that PostgreSQL does not read for any number.
const NO_EXPONENT: i64 = i32::MAX as i64 / 2;

/// The reason why PostgreSQL cannot store a JSON text, or serde_json not read it back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Unstorable {
    /// It has the escape `\u0000`.
    Nul,
    /// Its arrays and objects are nested deeper than this.
    Nested { deepest: usize },
    /// It has a number of too many digits; this is its beginning.
    Number(String),
}

/// Returns how many bytes PostgreSQL prints for a valid JSON text; a few more if an object has the same key twice.
#[doc(hidden)]
pub fn printed_bytes(json: &str) -> Result<usize, Unstorable> {
    let text = json.as_bytes();
    let (mut at, mut bytes, mut depth) = (0, 0, 0_usize);
    while let Some(&byte) = text.get(at) {
        let (read, printed) = match byte {
            b' ' | b'\n' | b'\r' | b'\t' => (1, 0),
            b',' | b':' => (1, 2),
            b'"' => string(&text[at..])?,
            b'-' | b'0'..=b'9' => {
                let digits = text[at..].iter().take_while(|byte| in_number(**byte)).count();
                let number = &json[at..at + digits];
                (digits, printed_number(number).ok_or_else(|| Unstorable::Number(beginning(number)))?)
            }
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(Unstorable::Nested { deepest: MAX_DEPTH });
                }
                (1, 1)
            }
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                (1, 1)
            }
            _ => (1, 1), // The letters of true, false and null.
        };
        at += read;
        bytes += printed;
    }
    Ok(bytes)
}

fn in_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

fn beginning(number: &str) -> String {
    let shown: String = number.chars().take(40).collect();
    if shown.len() < number.len() { shown + "…" } else { shown }
}

/// Returns how many bytes a string has at the start of this text, and how many when it is printed.
fn string(text: &[u8]) -> Result<(usize, usize), Unstorable> {
    let (mut at, mut printed) = (1, 2);
    while at < text.len() && text[at] != b'"' {
        if text[at] != b'\\' {
            (at, printed) = (at + 1, printed + 1);
            continue;
        }
        let unit = if text.get(at + 1) == Some(&b'u') { unit(&text[at..]) } else { None };
        (at, printed) = match unit {
            Some(0) => return Err(Unstorable::Nul),
            Some(unit) => (at + 6, printed + printed_unit(unit)),
            None => (at + 2, printed + if text.get(at + 1) == Some(&b'/') { 1 } else { 2 }),
        };
    }
    Ok((at + 1, printed))
}

/// The UTF-16 unit of an escape `\uXXXX`.
fn unit(escape: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(escape.get(2..6)?).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

fn printed_unit(unit: u16) -> usize {
    match unit {
        0x08 | 0x09 | 0x0A | 0x0C | 0x0D | 0x22 | 0x5C => 2,
        0..0x20 => 6,
        0x20..0x80 => 1,
        0x80..0x800 | 0xD800..0xE000 => 2, // Two surrogates are four bytes together.
        _ => 3,
    }
}

/// Returns how long PostgreSQL prints a number; `None` if it cannot store it.
fn printed_number(number: &str) -> Option<usize> {
    let (mantissa, exponent) = match number.find(['e', 'E']) {
        Some(e) => (&number[..e], small(&number[e + 1..])?),
        None => (number, 0),
    };
    let negative = mantissa.starts_with('-');
    let digits = mantissa.trim_start_matches('-');
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let zeros = whole.bytes().chain(decimals.bytes()).take_while(|digit| *digit == b'0').count();
    let is_zero = zeros == whole.len() + decimals.len();
    let before = if is_zero { 0 } else { whole.len() as i64 - zeros as i64 + exponent };
    let after = (decimals.len() as i64 - exponent).max(0);
    if before > MAX_DIGITS || after > MAX_DECIMALS {
        return None;
    }
    let point = usize::from(after > 0);
    Some(usize::from(negative && !is_zero) + before.max(1) as usize + point + after as usize)
}

/// An exponent that PostgreSQL reads.
fn small(exponent: &str) -> Option<i64> {
    let negative = exponent.starts_with('-');
    let digits = exponent.trim_start_matches(['+', '-']).trim_start_matches('0');
    let size = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    (size < NO_EXPONENT).then_some(if negative { -size } else { size })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_measured_as_they_are_printed() {
        for (sent, printed) in [
            ("null", "null"),
            ("[]", "[]"),
            (r#"{"a":1,"b":[true,false]}"#, r#"{"a": 1, "b": [true, false]}"#),
            ("[ 1 ,\n2 ]", "[1, 2]"),
            (r#""a\u0041\u00e9\u20ac\ud83d\ude00\/\n\u000a\u0001\\""#, r#""aAé€😀/\n\n\u0001\\""#),
            ("1.50", "1.50"),
            ("-1.5e3", "-1500"),
            ("1.2345E2", "123.45"),
            ("0.00012e2", "0.012"),
            ("1e-3", "0.001"),
            ("-0", "0"),
            ("-0.00", "0.00"),
            ("0e9", "0"),
        ] {
            assert_eq!(printed_bytes(sent), Ok(printed.len()), "{sent}");
        }
        assert_eq!(printed_bytes("1e308"), Ok(309));
        assert_eq!(printed_bytes("1e131071"), Ok(131_072));
    }

    #[test]
    fn texts_that_nobody_can_store_are_found() {
        assert_eq!(printed_bytes(r#""a\u0000""#), Err(Unstorable::Nul));
        assert_eq!(printed_bytes(r#""a\\u0000""#), Ok(10));
        for number in ["1e131072", "1e-16384", "1e99999999999999999999", "-1e-9999999999", "0e-16384"] {
            assert_eq!(printed_bytes(number), Err(Unstorable::Number(number.to_owned())));
        }
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(serde_json::from_str::<serde_json::Value>(&nested(MAX_DEPTH)).is_ok());
        assert!(serde_json::from_str::<serde_json::Value>(&nested(MAX_DEPTH + 1)).is_err());
        assert_eq!(printed_bytes(&nested(MAX_DEPTH)), Ok(2 * MAX_DEPTH));
        assert_eq!(printed_bytes(&nested(MAX_DEPTH + 1)), Err(Unstorable::Nested { deepest: MAX_DEPTH }));
    }
}
