//! The attributes of a new job, and the checks of what the database could not store.

use std::collections::BTreeMap;

use crate::AttributeValue;

/// The largest size of a job's attributes, in bytes as PostgreSQL stores them.
const MAX_BYTES: usize = 8191;
/// The size of an object without members as PostgreSQL stores it, and of a member without its name and its text.
const EMPTY_BYTES: usize = 8;
const MEMBER_BYTES: usize = 8;
/// The most that PostgreSQL needs for a number, of which the longest is an integer of 39 digits.
const NUMBER_BYTES: usize = 36;
/// The largest number of characters in the name of an attribute.
const MAX_NAME: usize = 100;

/// The attributes of a new job, not checked yet. One is `None` that is computed from an argument which is not known yet.
#[derive(Debug, Default)]
pub(crate) struct Attributes(BTreeMap<String, Option<AttributeValue>>);

/// A mistake in an attribute: from [`EnqueueError::Attribute`](crate::EnqueueError::Attribute), or a function that takes the name
/// of one.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAttribute {
    /// The name is empty, too long, or holds a NUL character.
    #[error(
        "the name of an attribute is 1 to {MAX_NAME} characters without NUL, but this one is {}",
        shown(name)
    )]
    Name {
        /// The name.
        name: String,
    },
    /// The value is NaN or infinite.
    #[error(
        "the attribute `{name}` is {value}, which is equal to nothing and has no place in an order: leave it out, or write `None`"
    )]
    NotFinite {
        /// The name of the attribute.
        name: String,
        /// The value.
        value: f64,
    },
    /// The text holds a NUL character, which PostgreSQL cannot store.
    #[error(
        "the attribute `{name}` holds a NUL character (\\u0000), which PostgreSQL cannot store: remove it"
    )]
    Nul {
        /// The name of the attribute.
        name: String,
    },
    /// The value is computed from an argument that comes from another step, and is not known yet.
    #[error(
        "the attribute `{name}` is computed from an argument that comes from another step: set it on the step, with `.attribute(\"{name}\", …)`"
    )]
    FromStep {
        /// The name of the attribute.
        name: String,
    },
    /// The attributes are too large together.
    #[error(
        "the attributes are up to {bytes} bytes as PostgreSQL stores them, more than the limit of {MAX_BYTES}: keep in the arguments what nobody filters by"
    )]
    TooLarge {
        /// Their largest possible size in the database.
        bytes: usize,
    },
}

crate::debug_as_message!(InvalidAttribute);

/// Shows the name of an attribute, which may be long, in an error.
pub(crate) fn shown(name: &str) -> String {
    match name.chars().count() {
        0 => "empty".to_owned(),
        1..=MAX_NAME => format!("{name:?}"),
        length => format!("{length} characters long: {:?}…", name.chars().take(40).collect::<String>()),
    }
}

impl Attributes {
    /// Sets an attribute. The last value counts.
    pub(crate) fn set(&mut self, name: String, value: Option<AttributeValue>) {
        self.0.insert(name, value);
    }

    /// Returns the attributes as JSON, or `None` if there are none. Fails if PostgreSQL could not store them.
    pub(crate) fn to_json(&self) -> Result<Option<String>, InvalidAttribute> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let mut bytes = EMPTY_BYTES;
        for (name, value) in &self.0 {
            check_name(name)?;
            let Some(value) = value else {
                return Err(InvalidAttribute::FromStep { name: name.clone() });
            };
            bytes += MEMBER_BYTES + name.len() + checked_bytes(name, value)?;
        }
        if bytes > MAX_BYTES {
            return Err(InvalidAttribute::TooLarge { bytes });
        }
        let json = serde_json::to_string(&self.0);
        Ok(Some(json.expect("text and numbers that are finite can be written as JSON")))
    }
}

/// Checks the name of an attribute.
pub(crate) fn check_name(name: &str) -> Result<(), InvalidAttribute> {
    if (1..=MAX_NAME).contains(&name.chars().count()) && !name.contains('\0') {
        return Ok(());
    }
    Err(InvalidAttribute::Name { name: name.to_owned() })
}

/// Checks a value, and returns the most bytes that PostgreSQL needs for it.
fn checked_bytes(name: &str, value: &AttributeValue) -> Result<usize, InvalidAttribute> {
    match *value {
        AttributeValue::Null | AttributeValue::Bool(_) => Ok(0),
        AttributeValue::Float(value) if !value.is_finite() => {
            Err(InvalidAttribute::NotFinite { name: name.to_owned(), value })
        }
        AttributeValue::Integer(_) | AttributeValue::Float(_) => Ok(NUMBER_BYTES),
        AttributeValue::Text(ref text) if text.contains('\0') => {
            Err(InvalidAttribute::Nul { name: name.to_owned() })
        }
        AttributeValue::Text(ref text) => Ok(text.len()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn json<const N: usize>(
        attributes: [(&str, AttributeValue); N],
    ) -> Result<Option<String>, InvalidAttribute> {
        let attributes = attributes.map(|(name, value)| (name.to_owned(), Some(value)));
        Attributes(attributes.into()).to_json()
    }

    #[test]
    fn attributes_become_one_flat_object() {
        assert_eq!(json([]), Ok(None));
        let written = json([
            ("a\"b", "é\n".into()),
            ("b", u64::MAX.into()),
            ("c", 0.5.into()),
            ("d", Some(true).into()),
            ("e", None::<i32>.into()),
        ]);
        let expected = r#"{"a\"b":"é\n","b":18446744073709551615,"c":0.5,"d":true,"e":null}"#;
        assert_eq!(written.unwrap().unwrap(), expected);
    }

    #[test]
    fn value_that_nothing_compares_with_is_refused_by_its_name() {
        let refused = |value| json([("price", value)]).unwrap_err().to_string();
        assert!(refused(f64::NAN.into()).starts_with("the attribute `price` is NaN, "));
        assert!(refused(f64::NEG_INFINITY.into()).starts_with("the attribute `price` is -inf, "));
        assert!(refused("a\0b".into()).starts_with("the attribute `price` holds a NUL character"));
    }

    #[test]
    fn name_is_neither_empty_nor_long_nor_holds_nul() {
        assert!(check_name(&"é".repeat(100)).is_ok());
        for (name, shown) in [("", "empty"), ("a\0", r#""a\0""#), (&"é".repeat(101), "101 characters long")]
        {
            let refused = check_name(name).unwrap_err().to_string();
            assert!(refused.contains(&format!("but this one is {shown}")), "{refused}");
        }
    }

    #[test]
    fn attributes_that_are_too_large_together_are_refused() {
        let two = |bytes: usize| json([("a", "x".repeat(bytes).into()), ("b", "x".repeat(4000).into())]);
        let rest = MAX_BYTES - 4000 - EMPTY_BYTES - 2 * (MEMBER_BYTES + 1);
        assert!(two(rest).is_ok());
        assert_eq!(two(rest + 1), Err(InvalidAttribute::TooLarge { bytes: MAX_BYTES + 1 }));
    }
}
