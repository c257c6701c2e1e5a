//! The values that a job computes from its arguments beside its attributes: its key, its weight, and its unique key.

use serde::Serialize;

use crate::AttributeValue;
use crate::job::json;

/// The origin of a value that jobs of a kind compute. An enqueue from SQL computes it as well if it comes from arguments alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ComputedFrom {
    /// No job of the kind computes it.
    Nothing,
    /// These arguments.
    Arguments(&'static [&'static str]),
    /// All arguments.
    AllArguments,
    /// An expression, which SQL does not know.
    Expression,
}

impl ComputedFrom {
    /// The form in the database: names, `*` for all of them, and `?` for an expression.
    pub(crate) fn stored(self) -> Option<Vec<&'static str>> {
        match self {
            Self::Nothing => None,
            Self::Arguments(names) => Some(names.to_vec()),
            Self::AllArguments => Some(vec!["*"]),
            Self::Expression => Some(vec!["?"]),
        }
    }
}

/// A key that a job computes from its arguments.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no key",
    label = "not a number, a boolean, or text",
    note = "write an expression that is text: `key = format!(\"{{region}}/{{tenant}}\")`, or `key = tenant.to_string()`",
    note = "for `unique`, write the arguments themselves, of any type: `unique = (tenant, region)`",
    note = "an `Option` is a key, too: without a value, the job has none"
)]
pub trait Key {
    /// The key to store, if there is one.
    fn key(self) -> Option<String>;
}

#[diagnostic::do_not_recommend] // The message above names them.
impl<T: Into<AttributeValue>> Key for T {
    fn key(self) -> Option<String> {
        match self.into() {
            AttributeValue::Null => None,
            AttributeValue::Bool(value) => Some(value.to_string()),
            AttributeValue::Integer(value) => Some(value.to_string()),
            AttributeValue::Float(value) => Some(value.to_string()),
            AttributeValue::Text(text) => Some(text),
        }
    }
}

/// A weight that a job computes from its arguments.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no weight",
    label = "not an integer",
    note = "write an expression that is one: `weight = 1 + items.len() / 100`"
)]
pub trait Weight {
    /// The weight. It is at least 1, and saturates.
    fn weight(self) -> u32;
}

macro_rules! weights {
    ($($integer:ty),*) => {$(
        impl Weight for $integer {
            fn weight(self) -> u32 {
                u32::try_from(self.max(1)).unwrap_or(u32::MAX)
            }
        }

        impl Weight for &$integer {
            fn weight(self) -> u32 {
                (*self).weight()
            }
        }
    )*};
}

weights!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

/// The value that makes a job unique, or the error of writing it.
pub type UniqueValue = Option<Result<String, serde_json::Error>>;

/// Returns the value of an expression that makes a job unique: as text, like a key.
pub fn unique_by(value: impl Key) -> UniqueValue {
    value.key().map(Ok)
}

/// Returns the value of several expressions, a tuple of references, that make a job unique: as JSON.
pub fn unique_by_all(values: &impl Serialize) -> UniqueValue {
    Some(json::encode(values).and_then(|json| json::canonical(&json)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weight_is_at_least_one_and_saturates() {
        assert_eq!([0_u64.weight(), (-5_i8).weight(), (&7_usize).weight()], [1, 1, 7]);
        assert_eq!(u64::MAX.weight(), u32::MAX);
    }

    #[test]
    fn key_is_the_text_of_a_value() {
        assert_eq!(7_u64.key().as_deref(), Some("7"));
        assert_eq!("a".key().as_deref(), Some("a"));
        assert_eq!(None::<&str>.key(), None);
    }
}
