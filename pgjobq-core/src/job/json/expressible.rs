//! Finds values that JSON cannot express, and names their fields. serde_json writes floats that are not finite as null, and a
//! formatter cannot tell them from `None`.

use std::fmt::{self, Display};
use std::io;

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Serializes a value into nothing, and fails at the first part that JSON cannot express.
pub(super) struct Expressible;

#[derive(Debug)]
pub(super) struct Inexpressible {
    field: Option<&'static str>,
    what: String,
}

impl Display for Inexpressible {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            Some(field) => write!(out, "`{field}` {}", self.what),
            None => write!(out, "the value {}", self.what),
        }
    }
}

impl std::error::Error for Inexpressible {}

impl Error for Inexpressible {
    fn custom<T: Display>(message: T) -> Self {
        Self { field: None, what: format!("cannot be written: {message}") }
    }
}

impl Inexpressible {
    /// The same error in a field. The outermost one wins: it is the argument.
    fn in_field(self, field: &'static str) -> Self {
        Self { field: Some(field), ..self }
    }
}

/// The mistake of keys that serde_json cannot write.
const KEYS: &str =
    "has a map with keys that are no text, and JSON has no others: send a list of pairs, `Vec<(K, V)>`";

/// A map with this key.
struct KeyOfMap<'k, T: ?Sized>(&'k T);

impl<T: ?Sized + Serialize> Serialize for KeyOfMap<'_, T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map([(self.0, ())])
    }
}

fn check(float: f64) -> Result<(), Inexpressible> {
    let what = if float.is_finite() {
        return Ok(());
    } else if float.is_nan() {
        "is NaN, or holds it"
    } else {
        "is infinite, or holds such a number"
    };
    Err(Inexpressible {
        field: None,
        what: format!("{what}, which JSON cannot express: send an `Option`, or text"),
    })
}

macro_rules! harmless {
    ($($name:ident($($type:ty),*))*) => {$(
        fn $name(self, $(_: $type),*) -> Result<(), Inexpressible> {
            Ok(())
        }
    )*};
}

macro_rules! compound {
    ($($name:ident($($type:ty),*) -> $as:ident)*) => {$(
        fn $name(self, $(_: $type),*) -> Result<Self::$as, Inexpressible> {
            Ok(self)
        }
    )*};
}

impl Serializer for Expressible {
    type Ok = ();
    type Error = Inexpressible;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn serialize_f32(self, float: f32) -> Result<(), Inexpressible> {
        check(float.into())
    }

    fn serialize_f64(self, float: f64) -> Result<(), Inexpressible> {
        check(float)
    }

    harmless! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
        serialize_char(char) serialize_str(&str) serialize_bytes(&[u8])
        serialize_none() serialize_unit() serialize_unit_struct(&'static str)
        serialize_unit_variant(&'static str, u32, &'static str)
    }

    compound! {
        serialize_seq(Option<usize>) -> SerializeSeq
        serialize_tuple(usize) -> SerializeTuple
        serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant
        serialize_map(Option<usize>) -> SerializeMap
        serialize_struct(&'static str, usize) -> SerializeStruct
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Inexpressible> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Inexpressible> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Inexpressible> {
        value.serialize(self)
    }
}

macro_rules! elements {
    ($($trait:ident $name:ident)*) => {$(
        impl $trait for Expressible {
            type Ok = ();
            type Error = Inexpressible;

            fn $name<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Inexpressible> {
                value.serialize(Expressible)
            }

            fn end(self) -> Result<(), Inexpressible> {
                Ok(())
            }
        }
    )*};
}

elements! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

macro_rules! fields {
    ($($trait:ident)*) => {$(
        impl $trait for Expressible {
            type Ok = ();
            type Error = Inexpressible;

            fn serialize_field<T: ?Sized + Serialize>(
                &mut self,
                field: &'static str,
                value: &T,
            ) -> Result<(), Inexpressible> {
                value.serialize(Expressible).map_err(|error| error.in_field(field))
            }

            fn end(self) -> Result<(), Inexpressible> {
                Ok(())
            }
        }
    )*};
}

fields! { SerializeStruct SerializeStructVariant }

impl SerializeMap for Expressible {
    type Ok = ();
    type Error = Inexpressible;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), Inexpressible> {
        serde_json::to_writer(io::sink(), &KeyOfMap(key))
            .map_err(|_| Inexpressible { field: None, what: KEYS.to_owned() })
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Inexpressible> {
        value.serialize(Expressible)
    }

    fn end(self) -> Result<(), Inexpressible> {
        Ok(())
    }
}
