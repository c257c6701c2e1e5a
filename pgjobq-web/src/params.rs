//! The parameters of a request: of a query, a form, or a JSON object, all of which are texts with names.

use std::str::FromStr;

use serde_json::Value;

use crate::problem::Problem;

/// Names and values, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query or the body of a form.
    pub(crate) fn of_form(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// Reads a JSON object whose values are texts, numbers, booleans, or arrays of them. A null is as good as nothing.
    pub(crate) fn of_json(text: &[u8]) -> Result<Self, Problem> {
        let wrong = || Problem::Invalid("the body is no JSON object of texts".to_owned());
        let Ok(Value::Object(object)) = serde_json::from_slice(text) else { return Err(wrong()) };
        let mut params = Vec::new();
        for (name, value) in object {
            let values = if let Value::Array(values) = value { values } else { vec![value] };
            for value in values {
                match value {
                    Value::Null => {}
                    Value::String(text) => params.push((name.clone(), text)),
                    Value::Number(_) | Value::Bool(_) => params.push((name.clone(), value.to_string())),
                    Value::Array(_) | Value::Object(_) => return Err(wrong()),
                }
            }
        }
        Ok(Self(params))
    }

    /// Returns the first value of this name. One that is empty, as a form sends it, is none.
    pub(crate) fn maybe<'p>(&'p self, name: &'p str) -> Option<&'p str> {
        self.all(name).map(str::trim).find(|value| !value.is_empty())
    }

    /// Returns the first value of this name, as it is.
    pub(crate) fn exact<'p>(&'p self, name: &'p str) -> Result<&'p str, Problem> {
        self.all(name).next().ok_or_else(|| missing(name))
    }

    /// Returns the parsed value of this name, if there is one.
    pub(crate) fn parsed<T: FromStr<Err: ToString>>(&self, name: &str) -> Result<Option<T>, Problem> {
        let wrong = |error: T::Err| Problem::Invalid(format!("`{name}`: {}", error.to_string()));
        self.maybe(name).map(str::parse).transpose().map_err(wrong)
    }

    /// Returns the parsed value of this name.
    pub(crate) fn required<T: FromStr<Err: ToString>>(&self, name: &str) -> Result<T, Problem> {
        self.parsed(name)?.ok_or_else(|| missing(name))
    }

    /// Returns all values of this name.
    pub(crate) fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| &**value)
    }
}

fn missing(name: &str) -> Problem {
    Problem::Invalid(format!("`{name}` is missing"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_json_mean_the_same() {
        let form = Params::of_form(b"id=1&id=2&filter=a+%3D+1&reason=+");
        let json = Params::of_json(br#"{"id": ["1", 2], "filter": "a = 1", "reason": null}"#).unwrap();
        for params in [&form, &json] {
            assert_eq!(params.all("id").collect::<Vec<_>>(), ["1", "2"]);
            assert_eq!((params.maybe("filter"), params.maybe("reason")), (Some("a = 1"), None));
        }
        assert!(Params::of_json(b"[1]").is_err() && Params::of_json(br#"{"a": {"b": 1}}"#).is_err());
        assert_eq!(form.required::<u8>("reason").unwrap_err().to_string(), "`reason` is missing");
    }
}
