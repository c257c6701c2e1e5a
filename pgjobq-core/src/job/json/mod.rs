//! Arguments and results as JSON, so that each value arrives as it was sent.
//!
//! PostgreSQL keeps `jsonb` numbers as `numeric`: exactly, but without exponents, and without the sign of a zero. A float
//! that is minus zero travels as a zero with [41 decimals](MINUS_ZERO), because `numeric` keeps the decimals of a zero.

mod canonical;
mod expressible;
mod printed;

use std::borrow::Cow;
use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::ser::Error;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use serde_json::value::RawValue;

pub(crate) use canonical::canonical;
pub use printed::{Unstorable, printed_bytes};

/// Minus zero, as it is stored. No float is written like this: the shortest text of a zero is `0.0`.
const MINUS_ZERO: &str = "0.00000000000000000000000000000000000000000";

/// Writes a value as JSON. Fails for NaN, infinities, and keys of maps that are no text, which JSON does not have.
pub(crate) fn encode(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut json = Vec::with_capacity(128);
    let written = value.serialize(&mut Serializer::with_formatter(&mut json, Signed));
    let json = String::from_utf8(json).map_err(serde_json::Error::custom)?;
    // serde_json writes floats that are not finite as null, and its other errors name no field.
    if written.is_err() || json.contains("null") {
        value.serialize(expressible::Expressible).map_err(serde_json::Error::custom)?;
    }
    written.map(|()| json)
}

/// The same as [`encode`], for a result.
pub(crate) fn encode_raw(value: &impl Serialize) -> Result<Box<RawValue>, serde_json::Error> {
    RawValue::from_string(encode(value)?)
}

/// Reads a value from what [`encode`] wrote, or from what the database made of it.
pub(crate) fn decode<T: DeserializeOwned>(json: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(&signed(json))
}

/// Writes JSON without spaces, and zeros with their sign.
struct Signed;

impl Formatter for Signed {
    fn write_f32<W: ?Sized + io::Write>(&mut self, to: &mut W, value: f32) -> io::Result<()> {
        self.write_f64_or(to, value.into(), |to| CompactFormatter.write_f32(to, value))
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, to: &mut W, value: f64) -> io::Result<()> {
        self.write_f64_or(to, value, |to| CompactFormatter.write_f64(to, value))
    }

    // Numbers of serde_json with its feature `arbitrary_precision`.
    fn write_number_str<W: ?Sized + io::Write>(&mut self, to: &mut W, value: &str) -> io::Result<()> {
        to.write_all(if value == "-0.0" { MINUS_ZERO } else { value }.as_bytes())
    }
}

impl Signed {
    fn write_f64_or<W: ?Sized + io::Write>(
        &mut self,
        to: &mut W,
        value: f64,
        write: impl FnOnce(&mut W) -> io::Result<()>,
    ) -> io::Result<()> {
        if value == 0.0 && value.is_sign_negative() { to.write_all(MINUS_ZERO.as_bytes()) } else { write(to) }
    }
}

/// Restores the sign of zeros.
fn signed(json: &str) -> Cow<'_, str> {
    if !json.contains(MINUS_ZERO) {
        return json.into();
    }
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped, mut copied) = (false, false, 0);
    let bytes = json.as_bytes();
    let in_number =
        |at: usize| bytes.get(at).is_some_and(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E'));
    for (at, byte) in json.bytes().enumerate() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = byte == b'\\' && !escaped;
        } else if byte == b'"' {
            in_string = true;
        } else if byte == b'0'
            && at >= copied
            && json[at..].starts_with(MINUS_ZERO)
            && !(at > 0 && in_number(at - 1))
            && !in_number(at + MINUS_ZERO.len())
        {
            out += &json[copied..at];
            out += "-0.0";
            copied = at + MINUS_ZERO.len();
        }
    }
    out += &json[copied..];
    out.into()
}

/// Returns whether a JSON text has the escape `\u0000`, which `jsonb` refuses: one with an odd number of backslashes before it.
#[doc(hidden)]
#[must_use]
pub fn holds_nul(json: &str) -> bool {
    json.match_indices("u0000").any(|(at, _)| {
        let backslashes = json.as_bytes()[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        backslashes % 2 == 1
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn zeros_keep_their_sign() {
        let json = encode(&(0.0, -0.0, -0.0_f32, 0, MINUS_ZERO)).unwrap();
        assert_eq!(json, format!("[0.0,{MINUS_ZERO},{MINUS_ZERO},0,\"{MINUS_ZERO}\"]"));
        assert_eq!(signed(&json), format!("[0.0,-0.0,-0.0,0,\"{MINUS_ZERO}\"]"));
        let (plus, minus, single, _, text): (f64, f64, f32, u8, String) = decode(&json).unwrap();
        assert!(plus.is_sign_positive() && minus.is_sign_negative() && single.is_sign_negative());
        assert_eq!(text, MINUS_ZERO);
        let others = format!("[1{MINUS_ZERO},{MINUS_ZERO}0,\"\\\"{MINUS_ZERO}\"]");
        assert_eq!(signed(&others), others);
        assert_eq!(signed(MINUS_ZERO), "-0.0");
    }

    #[test]
    fn floats_that_json_lacks_are_rejected_by_name() {
        #[derive(Serialize)]
        struct Args {
            name: Option<String>,
            prices: Vec<Option<f64>>,
        }
        let args = |prices| encode(&Args { name: None, prices });
        assert_eq!(args(vec![None, Some(1.5)]).unwrap(), r#"{"name":null,"prices":[null,1.5]}"#);
        let said = |prices| args(prices).unwrap_err().to_string();
        assert_eq!(
            said(vec![None, Some(f64::NAN)]),
            "`prices` is NaN, or holds it, which JSON cannot express: send an `Option`, or text"
        );
        assert_eq!(
            said(vec![Some(f64::INFINITY)]),
            "`prices` is infinite, or holds such a number, which JSON cannot express: send an `Option`, or text"
        );
        assert_eq!(
            encode(&f32::NAN).unwrap_err().to_string(),
            "the value is NaN, or holds it, which JSON cannot express: send an `Option`, or text"
        );
    }

    #[test]
    fn keys_that_json_lacks_are_rejected_by_name() {
        #[derive(Serialize)]
        struct Args<K: Ord> {
            prices: BTreeMap<K, u8>,
        }
        fn said<K: Ord + Serialize>(key: K) -> String {
            encode(&Args { prices: BTreeMap::from([(key, 1)]) }).unwrap_err().to_string()
        }
        let pairs = "`prices` has a map with keys that are no text, and JSON has no others: send a list of pairs, `Vec<(K, V)>`";
        assert_eq!(said((1, 2)), pairs);
        assert_eq!(said(vec![1]), pairs);
        let keys = Args { prices: BTreeMap::from([(7_u64, 1)]) };
        assert_eq!(encode(&keys).unwrap(), r#"{"prices":{"7":1}}"#);
    }

    #[test]
    fn error_of_a_serialize_names_its_field() {
        #[derive(Serialize)]
        struct Args {
            #[serde(serialize_with = "fail")]
            secret: u8,
        }
        fn fail<S: serde::Serializer>(_: &u8, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("it is locked"))
        }
        assert_eq!(
            encode(&Args { secret: 1 }).unwrap_err().to_string(),
            "`secret` cannot be written: it is locked"
        );
    }

    #[test]
    fn nul_is_found_and_escaped_backslash_is_not() {
        let json = |text: &str| serde_json::to_string(text).unwrap();
        assert!(holds_nul(&json("a\0b")));
        assert!(holds_nul(&json("\\\0")));
        assert!(!holds_nul(&json("a\\u0000b")));
        assert!(!holds_nul(&json("u0000")));
    }
}
