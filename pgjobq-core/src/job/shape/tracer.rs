//! A deserializer without input: it notes what a type asks for, and answers with samples.
//!
//! A type is read again and again, until every variant of every enum was read. If a type refuses a sample, it gets another one.

use std::any::type_name;
use std::cell::RefCell;

use serde::de::value::StrDeserializer;
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};

use super::seen::{Place, SAMPLES, Seen};

type Error = serde::de::value::Error;

/// The number of readings after which a type has shown enough.
const MOST_READINGS: usize = 2000;
/// The texts that a type gets in turn, until it accepts one.
const TEXTS: [&str; SAMPLES] = [
    "text",
    "01890a5d-ac96-774b-bcce-b302099a8057",
    "2026-01-02T03:04:05Z",
    "2026-01-02",
    "2026-01-02T03:04:05",
    "03:04:05",
    "https://example.org/",
    "127.0.0.1",
    "127.0.0.1:80",
    "ada@example.org",
    "1.5",
    "UTC",
    "EUR",
    "",
];
const NUMBERS: [i8; SAMPLES] = [1, 0, 2, 10, 100, -1, 1, 1, 1, 1, 1, 1, 1, 1];

/// Describes the form in which serde stores a type: `{ width: u32, tags: [string], fit: Crop | Pad (u8) }`. Parts that cannot be
/// seen are `any`, or `…`.
pub fn trace<T: DeserializeOwned>() -> String {
    let seen = RefCell::<Seen>::default();
    for _ in 0..MOST_READINGS {
        let is_read =
            T::deserialize(Tracer { seen: &seen, path: String::new(), around: &Around::Nothing }).is_ok();
        if !seen.borrow_mut().goes_on(is_read) {
            break;
        }
    }
    seen.into_inner().describe("")
}

/// The types around a place, to notice one that holds itself. They are known by their visitors: `a::Item` and `b::Item` have one name in
/// serde, and so do `Page<u8>` and `Page<Page<u8>>`.
enum Around<'a> {
    Nothing,
    Type(&'static str, &'a Around<'a>),
}

impl Around<'_> {
    fn has(&self, wanted: &str) -> bool {
        match self {
            Around::Nothing => false,
            Around::Type(name, outer) => *name == wanted || outer.has(wanted),
        }
    }
}

/// Reads one place.
struct Tracer<'a> {
    seen: &'a RefCell<Seen>,
    path: String,
    around: &'a Around<'a>,
}

impl<'a> Tracer<'a> {
    fn note(&self, place: Place) {
        self.seen.borrow_mut().note(&self.path, place);
    }

    /// Notes a leaf, and returns the number of its sample.
    fn leaf(&self, name: &'static str) -> usize {
        self.note(Place::Leaf(name));
        self.seen.borrow().sample(&self.path) % SAMPLES
    }

    fn is_empty(&self) -> bool {
        self.seen.borrow().is_empty(&self.path)
    }

    fn part(&self, name: &str) -> Tracer<'a> {
        Tracer { seen: self.seen, path: format!("{}/{name}", self.path), around: self.around }
    }

    fn parts<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Parts<'a, std::vec::IntoIter<Tracer<'a>>> {
        Parts {
            parts: names.into_iter().map(|name| self.part(name)).collect::<Vec<_>>().into_iter(),
            value: None,
        }
    }
}

macro_rules! leaves {
    ($($method:ident $visit:ident $name:literal $sample:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let at = self.leaf($name);
            visitor.$visit(($sample)(at))
        }
    )*};
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Error;

    leaves! {
        deserialize_bool visit_bool "bool" |at| at % 2 == 0;
        deserialize_i8 visit_i8 "i8" |at: usize| NUMBERS[at];
        deserialize_i16 visit_i16 "i16" |at: usize| NUMBERS[at].into();
        deserialize_i32 visit_i32 "i32" |at: usize| NUMBERS[at].into();
        deserialize_i64 visit_i64 "i64" |at: usize| NUMBERS[at].into();
        deserialize_i128 visit_i128 "i128" |at: usize| NUMBERS[at].into();
        deserialize_u8 visit_u8 "u8" |at: usize| NUMBERS[at].unsigned_abs();
        deserialize_u16 visit_u16 "u16" |at: usize| NUMBERS[at].unsigned_abs().into();
        deserialize_u32 visit_u32 "u32" |at: usize| NUMBERS[at].unsigned_abs().into();
        deserialize_u64 visit_u64 "u64" |at: usize| NUMBERS[at].unsigned_abs().into();
        deserialize_u128 visit_u128 "u128" |at: usize| NUMBERS[at].unsigned_abs().into();
        deserialize_f32 visit_f32 "f32" |at: usize| NUMBERS[at].into();
        deserialize_f64 visit_f64 "f64" |at: usize| NUMBERS[at].into();
        deserialize_char visit_char "char" |_| 'a';
        deserialize_str visit_str "string" |at: usize| TEXTS[at];
        deserialize_string visit_str "string" |at: usize| TEXTS[at];
        deserialize_bytes visit_bytes "bytes" |_| b"a";
        deserialize_byte_buf visit_bytes "bytes" |_| b"a";
        deserialize_identifier visit_str "string" |at: usize| TEXTS[at];
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.leaf("any") {
            0 => visitor.visit_unit(),
            1 => visitor.visit_i64(1),
            at => visitor.visit_str(TEXTS[at]),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.leaf("unit");
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.note(Place::Optional);
        if self.is_empty() { visitor.visit_none() } else { visitor.visit_some(self.part("some")) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name.starts_with('$') {
            return self.deserialize_any(visitor); // A value of serde_json that only serde_json can make.
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.note(Place::List);
        visitor.visit_seq(self.parts((!self.is_empty()).then_some("item")))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Error> {
        self.note(Place::Tuple(count));
        let names: Vec<_> = (0..count).map(|at| at.to_string()).collect();
        visitor.visit_seq(self.parts(names.iter().map(String::as_str)))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(count, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.note(Place::Map);
        let parts = if self.is_empty() { &[][..] } else { &["key", "value"] };
        visitor.visit_map(self.parts(parts.iter().copied()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let ty = type_name::<V>();
        if self.around.has(ty) {
            self.note(Place::Again(name));
            return Err(serde::de::Error::custom("a type that holds itself"));
        }
        self.note(Place::Object(fields));
        let inside =
            Tracer { around: &Around::Type(ty, self.around), seen: self.seen, path: self.path.clone() };
        visitor.visit_map(Fields { fields: fields.iter(), of: inside, field: "" })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let ty = type_name::<V>();
        if self.around.has(ty) {
            self.note(Place::Again(name));
            return Err(serde::de::Error::custom("a type that holds itself"));
        }
        self.note(Place::Choice(variants));
        let chosen = self.seen.borrow_mut().choose(&self.path, variants.len());
        let inside = Tracer {
            around: &Around::Type(ty, self.around),
            seen: self.seen,
            path: format!("{}/{chosen}", self.path),
        };
        visitor.visit_enum(Variant { name: variants.get(chosen).copied().unwrap_or_default(), inside })
    }
}

/// The parts of a list, a tuple or a map.
struct Parts<'a, I: Iterator<Item = Tracer<'a>>> {
    parts: I,
    value: Option<Tracer<'a>>,
}

impl<'de, 'a, I: Iterator<Item = Tracer<'a>>> SeqAccess<'de> for Parts<'a, I> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.parts.next().map(|part| seed.deserialize(part)).transpose()
    }
}

impl<'de, 'a, I: Iterator<Item = Tracer<'a>>> MapAccess<'de> for Parts<'a, I> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let key = self.parts.next();
        self.value = self.parts.next();
        key.map(|key| seed.deserialize(key)).transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let value = self.value.take().ok_or_else(|| serde::de::Error::custom("no value"))?;
        seed.deserialize(value)
    }
}

/// The fields of a struct.
struct Fields<'a> {
    fields: std::slice::Iter<'static, &'static str>,
    of: Tracer<'a>,
    field: &'static str,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some(field) = self.fields.next() else { return Ok(None) };
        self.field = field;
        seed.deserialize(StrDeserializer::<Error>::new(field)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.of.part(self.field))
    }
}

/// One variant of an enum.
struct Variant<'a> {
    name: &'static str,
    inside: Tracer<'a>,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let name: StrDeserializer<'_, Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        <()>::deserialize(self.inside)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.inside)
    }

    fn tuple_variant<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Error> {
        self.inside.deserialize_tuple(count, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.inside.note(Place::Object(fields));
        visitor.visit_map(Fields { fields: fields.iter(), of: self.inside, field: "" })
    }
}

#[cfg(test)]
mod tests;
