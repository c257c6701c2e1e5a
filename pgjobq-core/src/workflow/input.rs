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
    fn source(self, argument: &'static str) -> Source;
}

/// The source of an argument: its JSON, as an object with the argument's name as its key, or other steps.
#[doc(hidden)]
#[derive(Debug)]
pub enum Source {
    Value(Result<String, serde_json::Error>),
    Steps(&'static str, Reference),
}

#[diagnostic::do_not_recommend] // The message above names them.
impl<T: Serialize> Input<T> for T {
    fn source(self, argument: &'static str) -> Source {
        Source::Value(json::encode(&Named { argument, value: self }))
    }
}

#[diagnostic::do_not_recommend]
impl Input<String> for &str {
    fn source(self, argument: &'static str) -> Source {
        Source::Value(json::encode(&Named { argument, value: self }))
    }
}

#[diagnostic::do_not_recommend]
impl Input<String> for &String {
    fn source(self, argument: &'static str) -> Source {
        Input::<String>::source(self.as_str(), argument)
    }
}

#[diagnostic::do_not_recommend]
impl<T> Input<T> for Output<T> {
    fn source(self, argument: &'static str) -> Source {
        Source::Steps(argument, self.reference())
    }
}

#[diagnostic::do_not_recommend]
impl<T> Input<Result<T, Failure>> for StepResult<T> {
    fn source(self, argument: &'static str) -> Source {
        Source::Steps(argument, self.reference())
    }
}

#[diagnostic::do_not_recommend]
impl<V> Input<V> for Gathered<V> {
    fn source(self, argument: &'static str) -> Source {
        Source::Steps(argument, self.reference())
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
