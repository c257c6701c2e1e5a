//! The arguments of a job as its row has them: how they are read, and lifted from older versions.

use std::fmt::Display;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::JobError;
use crate::job::json;

/// The arguments of a job as they are stored, with the version of the code that stored them.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct StoredArgs<'a> {
    json: &'a RawValue,
    version: u16,
    /// True if some of them are redacted: then no error quotes a value.
    redacts: bool,
}

impl<'a> StoredArgs<'a> {
    #[must_use]
    pub fn new(json: &'a RawValue, version: u16, redacts: bool) -> Self {
        Self { json, version, redacts }
    }

    #[must_use]
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Reads them in the current version.
    pub fn decode<A: DeserializeOwned>(&self) -> Result<A, JobError> {
        self.read()
            .map_err(|what| JobError::decode(format!("the arguments do not fit the job function: {what}")))
    }

    /// Reads them in the older version whose arguments `A` is.
    pub fn decode_old<A: OldArgs>(&self) -> Result<A, JobError> {
        self.read().map_err(|what| {
            let (version, name) = (self.version, name_of::<A>());
            JobError::decode(format!("the arguments of version {version} do not fit `{name}`: {what}"))
        })
    }

    /// Lifts arguments of the version `from` to the next one.
    pub fn lift<Old: Upcast<Next>, Next>(&self, old: Old, from: u16) -> Result<Next, JobError> {
        old.upcast().map_err(|error| {
            let what = if self.redacts { "" } else { &format!(": {error}") };
            let to = from + 1;
            JobError::decode(format!("the arguments cannot be lifted from version {from} to {to}{what}"))
        })
    }

    /// Reads them, or says where they do not fit: serde's message may quote a value, except the one for an argument that is missing.
    fn read<A: DeserializeOwned>(&self) -> Result<A, String> {
        json::decode(self.json.get()).map_err(|error| match error.to_string() {
            text if self.redacts && !text.starts_with("missing field `") => {
                format!("at line {}, column {}", error.line(), error.column())
            }
            text => text,
        })
    }
}

/// The name of a type without its path.
fn name_of<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    name.rsplit("::").next().unwrap_or(name)
}

/// The arguments of an older version.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read as the arguments of an older version",
    label = "not `Deserialize`",
    note = "write `#[derive(Deserialize)]` on a struct with the arguments of that version as its fields"
)]
pub trait OldArgs: DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> OldArgs for T {}

/// The conversion of the arguments of one version to those of the next: any `From`, or a `TryFrom` whose error can be shown.
#[diagnostic::on_unimplemented(
    message = "there is no way from `{Self}` to `{Next}`, the arguments of the next version",
    label = "cannot be lifted",
    note = "write `impl From<{Self}> for {Next}`, or `impl TryFrom<{Self}> for {Next}` if some arguments cannot be lifted"
)]
pub trait Upcast<Next>: Sized {
    /// Converts the arguments, or says why they cannot be converted.
    fn upcast(self) -> Result<Next, String>;
}

#[diagnostic::do_not_recommend]
impl<Old, Next> Upcast<Next> for Old
where
    Next: TryFrom<Old>,
    Next::Error: Display,
{
    fn upcast(self) -> Result<Next, String> {
        Next::try_from(self).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct SendV1 {
        to: String,
    }

    #[derive(Debug)]
    struct SendArgs {
        host: String,
    }

    impl TryFrom<SendV1> for SendArgs {
        type Error = String;

        fn try_from(old: SendV1) -> Result<Self, String> {
            let host = old.to.split_once('@').ok_or(format!("`{}` has no host", old.to))?.1.to_owned();
            Ok(Self { host })
        }
    }

    fn lifted(json: &str, redacts: bool) -> Result<String, String> {
        let json = RawValue::from_string(json.to_owned()).unwrap();
        let stored = StoredArgs::new(&json, 1, redacts);
        let lift = || stored.lift::<_, SendArgs>(stored.decode_old::<SendV1>()?, 1);
        lift().map(|args| args.host).map_err(|error: JobError| error.to_string())
    }

    #[test]
    fn older_arguments_are_lifted() {
        assert_eq!(lifted(r#"{"to": "ada@example.org"}"#, false), Ok("example.org".to_owned()));
    }

    #[test]
    fn errors_name_the_version_and_the_cause() {
        let error = |json| lifted(json, false).unwrap_err();
        assert_eq!(
            error(r#"{"to": "ada"}"#),
            "the arguments cannot be lifted from version 1 to 2: `ada` has no host"
        );
        let missing = "the arguments of version 1 do not fit `SendV1`: missing field `to` at line 1 column 2";
        assert_eq!(error("{}"), missing);
    }

    #[test]
    fn redacted_arguments_are_not_quoted() {
        let error = |json| lifted(json, true).unwrap_err();
        assert_eq!(error(r#"{"to": "ada"}"#), "the arguments cannot be lifted from version 1 to 2");
        assert!(!error(r#"{"to": 7345}"#).contains("7345"));
        let missing = "the arguments of version 1 do not fit `SendV1`: missing field `to` at line 1 column 2";
        assert_eq!(error("{}"), missing);
    }
}
