//! The arguments of a step.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::Failure;
use crate::job::json;
use crate::workflow::gather::Gathered;
use crate::workflow::reference::Reference;
use crate::workflow::step::{Output, StepResult};

/// The types that an argument `T` of a step can come from: a value of type `T`, the [`output()`](crate::Step::output) of a step that
/// returns `T`, or, if `T` is a `Result<U, Failure>`, the [`result()`](crate::Step::result) of a step that returns `U`. Several outputs
/// become a `Vec` or a tuple with [`gather`](crate::gather).
#[diagnostic::on_unimplemented(
    message = "an argument of type `{T}` cannot come from `{Self}`",
    label = "not a `{T}`, and not the output of a step that returns one",
    note = "write a value of type `{T}`, or `step.output()` of a step that returns `{T}`",
    note = "`step.result()` is for an argument of type `Result<T, Failure>`, and `gather(…)` for a `Vec` or a tuple"
)]
pub trait Input<T> {
    #[doc(hidden)]
    fn given(self) -> Given<T>;

    #[doc(hidden)]
    fn source(self, argument: &'static str) -> Source
    where
        Self: Sized,
    {
        self.given().source(argument)
    }
}

/// An argument as it was given: a value, with the function that encodes it, or other steps.
#[doc(hidden)]
#[derive(Debug)]
pub enum Given<T> {
    Value(T, fn(&T, &'static str) -> Source),
    Steps(Reference),
}

/// The source of an argument: its JSON, as an object with the argument's name as its key, or other steps.
#[doc(hidden)]
#[derive(Debug)]
pub enum Source {
    Value(Result<String, serde_json::Error>),
    Steps(&'static str, Reference),
}

impl<T> Given<T> {
    #[must_use]
    pub fn source(self, argument: &'static str) -> Source {
        match self {
            Self::Value(value, encode) => encode(&value, argument),
            Self::Steps(reference) => Source::Steps(argument, reference),
        }
    }
}

#[diagnostic::do_not_recommend] // The message above names them.
impl<T: Serialize> Input<T> for T {
    fn given(self) -> Given<T> {
        Given::Value(self, |value, argument| Source::Value(json::encode(&Named { argument, value })))
    }
}

#[diagnostic::do_not_recommend]
impl Input<String> for &str {
    fn given(self) -> Given<String> {
        self.to_owned().given()
    }
}

#[diagnostic::do_not_recommend]
impl Input<String> for &String {
    fn given(self) -> Given<String> {
        self.to_owned().given()
    }
}

#[diagnostic::do_not_recommend]
impl<T> Input<T> for Output<T> {
    fn given(self) -> Given<T> {
        Given::Steps(self.reference())
    }
}

#[diagnostic::do_not_recommend]
impl<T> Input<Result<T, Failure>> for StepResult<T> {
    fn given(self) -> Given<Result<T, Failure>> {
        Given::Steps(self.reference())
    }
}

#[diagnostic::do_not_recommend]
impl<V> Input<V> for Gathered<V> {
    fn given(self) -> Given<V> {
        Given::Steps(self.reference())
    }
}

/// An object with one key. As a struct, so that an error names the argument.
struct Named<T> {
    argument: &'static str,
    value: T,
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut object = to.serialize_struct("Argument", 1)?;
        object.serialize_field(self.argument, &self.value)?;
        object.end()
    }
}

/// Joins objects with one key into one object. Returns the first error.
pub(crate) fn joined(
    objects: impl IntoIterator<Item = Result<String, serde_json::Error>>,
) -> Result<String, serde_json::Error> {
    let mut joined = String::from("{");
    for object in objects {
        let object = object?;
        if joined.len() > 1 {
            joined.push(',');
        }
        joined.push_str(&object[1..object.len() - 1]);
    }
    joined.push('}');
    Ok(joined)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn value<T>(argument: &'static str, input: impl Input<T>) -> String {
        match input.source(argument) {
            Source::Value(value) => value.unwrap(),
            Source::Steps(..) => panic!("no value"),
        }
    }

    #[test]
    fn values_become_the_arguments_of_a_job() {
        let values =
            [value::<i64>("id", 7), value::<String>("name", "ada"), value::<Option<u8>>("age", None)];
        assert_eq!(joined(values.map(Ok)).unwrap(), r#"{"id":7,"name":"ada","age":null}"#);
        assert_eq!(joined([]).unwrap(), "{}");
    }

    #[test]
    fn value_that_json_lacks_is_refused_by_its_name() {
        let Source::Value(refused) = Input::<f64>::source(f64::NAN, "price") else { panic!("no value") };
        assert!(refused.unwrap_err().to_string().starts_with("`price` is NaN"));
    }
}
