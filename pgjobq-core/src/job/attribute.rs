//! The value of an attribute.

use std::borrow::Cow;

use serde::Serialize;

/// The value of an attribute of a job: see [`NewJob::attribute`](crate::NewJob::attribute).
///
/// Numbers, booleans and text turn into it, an `Option` of them too, and references to all of these. For a type of your own,
/// implement `From<YourType> for AttributeValue`.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use pgjobq::AttributeValue;
///
/// assert_eq!(AttributeValue::from(42_u64), AttributeValue::Integer(42));
/// assert_eq!(AttributeValue::from(0.1_f32), AttributeValue::Float(0.1));
/// assert_eq!(AttributeValue::from("eu-west"), AttributeValue::Text("eu-west".to_owned()));
/// assert_eq!(AttributeValue::from(None::<bool>), AttributeValue::Null);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AttributeValue {
    /// No value, which is not the same as no attribute.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer. It has room for every integer of 64 bits, signed or not.
    Integer(i128),
    /// A number that need not be whole. An enqueue rejects NaN and infinities.
    Float(f64),
    /// A text. An enqueue rejects the character NUL.
    Text(String),
}

macro_rules! from {
    ($($of:ty => $make:expr),* $(,)?) => {$(
        impl From<$of> for AttributeValue {
            fn from(value: $of) -> Self {
                let make: fn($of) -> Self = $make;
                make(value)
            }
        }
    )*};
}

from! {
    bool => Self::Bool,
    i8 => |value| Self::Integer(value.into()),
    i16 => |value| Self::Integer(value.into()),
    i32 => |value| Self::Integer(value.into()),
    i64 => |value| Self::Integer(value.into()),
    isize => |value| Self::Integer(value as i128),
    u8 => |value| Self::Integer(value.into()),
    u16 => |value| Self::Integer(value.into()),
    u32 => |value| Self::Integer(value.into()),
    u64 => |value| Self::Integer(value.into()),
    usize => |value| Self::Integer(value as i128),
    // 0.1_f32 is 0.1, as it is printed, and not 0.10000000149011612, which no other value equals.
    f32 => |value| Self::Float(value.to_string().parse().unwrap_or(value.into())),
    f64 => Self::Float,
    char => |value| Self::Text(value.into()),
    String => Self::Text,
    &str => |value| Self::Text(value.to_owned()),
    Box<str> => |value| Self::Text(value.into()),
    Cow<'_, str> => |value| Self::Text(value.into_owned()),
}

impl AttributeValue {
    /// Reads a stored value. An array or object, which only a person can have written by hand, becomes its text.
    pub(crate) fn from_json(value: serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::String(text) => Self::Text(text),
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(integer), ..) => Self::Integer(integer.into()),
                (_, Some(integer), _) => Self::Integer(integer.into()),
                (.., float) => Self::Float(float.unwrap_or(f64::MAX)),
            },
            other => Self::Text(other.to_string()),
        }
    }
}

impl<T: Into<Self>> From<Option<T>> for AttributeValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Clone + Into<Self>> From<&T> for AttributeValue {
    fn from(value: &T) -> Self {
        value.clone().into()
    }
}

/// The value of an attribute that a job computes from its arguments.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no value of an attribute",
    label = "not a number, a boolean, or text",
    note = "write an expression behind the name: `region = region.code()`",
    note = "numbers of at most 64 bits, `bool`, `char` and text are values, and so are an `Option` and a reference of those",
    note = "for a type of your own, write `impl From<YourType> for pgjobq::AttributeValue`"
)]
pub trait Attribute {
    /// The value to store.
    fn value(self) -> AttributeValue;
}

#[diagnostic::do_not_recommend] // The message above names them.
impl<T: Into<AttributeValue>> Attribute for T {
    fn value(self) -> AttributeValue {
        self.into()
    }
}
