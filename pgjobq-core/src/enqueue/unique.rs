//! The uniqueness of a new job.

use crate::job::computed::{ComputedFrom, UniqueValue};
use crate::job::json;
use crate::job::policy::Policy;
use crate::job::sha256::{hex, sha256};
use crate::{OnDuplicate, UniqueWhile};

/// The largest number of bytes of a unique key that is stored as it is. Of a longer one, and of one that is made of redacted
/// arguments, the digest is stored.
const MAX_BYTES: usize = 200;

/// The uniqueness of a new job.
#[derive(Debug)]
pub(crate) struct NewUnique {
    by: UniqueBy,
    /// True if a redacted argument may be in the value: then its digest is stored.
    is_secret: bool,
    pub(crate) lasts: UniqueWhile,
    pub(crate) on_duplicate: OnDuplicate,
    /// True if the call has set one of the two before.
    pub(crate) says_more: bool,
}

/// The value that makes a job unique.
#[derive(Debug)]
enum UniqueBy {
    /// None, because neither its kind nor the call says that it is unique.
    Unsaid,
    /// None, for this job.
    Nothing,
    /// All arguments.
    Args,
    /// This text.
    Value(String),
    /// A value that cannot be written as JSON.
    Error(serde_json::Error),
}

impl NewUnique {
    pub(crate) fn of(policy: &Policy) -> Self {
        let by = match policy.unique {
            ComputedFrom::AllArguments => UniqueBy::Args,
            _ => UniqueBy::Unsaid,
        };
        let (lasts, on_duplicate) = (policy.unique_while, policy.on_duplicate);
        Self { by, is_secret: policy.has_secret_unique_key(), lasts, on_duplicate, says_more: false }
    }

    /// Sets the text of a call, which makes the job unique. People see it.
    pub(crate) fn give(&mut self, text: String) {
        self.is_secret = false;
        self.set(Some(Ok(text)));
    }

    /// Sets the value that makes the job unique, as its code computes it.
    pub(crate) fn set(&mut self, value: UniqueValue) {
        self.by = match value {
            None => UniqueBy::Nothing,
            Some(Ok(value)) => UniqueBy::Value(value),
            Some(Err(error)) => UniqueBy::Error(error),
        };
    }

    /// Returns the value that the call or the job's code says, which may be that there is none. `None` if neither says one: then it follows
    /// from all arguments, or the kind is not unique.
    pub(crate) fn value(&self) -> Option<Option<&str>> {
        match &self.by {
            UniqueBy::Value(value) => Some(Some(value)),
            UniqueBy::Nothing => Some(None),
            UniqueBy::Unsaid | UniqueBy::Args | UniqueBy::Error(_) => None,
        }
    }

    /// Returns whether a redacted argument may be in that value.
    pub(crate) fn is_secret(&self) -> bool {
        self.is_secret
    }

    /// Returns whether the call says more of a job's uniqueness, and the job is not unique.
    pub(crate) fn says_more_in_vain(&self) -> bool {
        self.says_more && matches!(self.by, UniqueBy::Unsaid)
    }

    /// Returns the unique key as it is stored, among the jobs with a key; `None` if the job is not unique, or its value is invalid.
    pub(crate) fn stored(&self, key: Option<&str>, args: &str) -> Option<String> {
        let value = match &self.by {
            UniqueBy::Unsaid | UniqueBy::Nothing | UniqueBy::Error(_) => return None,
            UniqueBy::Args => json::canonical(args).ok()?,
            UniqueBy::Value(value) => value.clone(),
        };
        let value = match key {
            Some(key) => json::encode(&[key, &value]).and_then(|json| json::canonical(&json)).ok()?,
            None => value,
        };
        let is_digest = self.is_secret || value.len() > MAX_BYTES;
        Some(if is_digest { hex(sha256(value.as_bytes())) } else { value })
    }

    /// Returns the error of its value, or whether it is a text that no unique key can be.
    pub(crate) fn checked(self) -> Result<bool, serde_json::Error> {
        match self.by {
            UniqueBy::Error(error) => Err(error),
            UniqueBy::Value(value) => Ok(!value.is_empty() && !value.contains('\0')),
            UniqueBy::Unsaid | UniqueBy::Nothing | UniqueBy::Args => Ok(true),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn unique(value: &str) -> NewUnique {
        let mut unique = NewUnique::of(&Policy::DEFAULT);
        unique.set(Some(Ok(value.to_owned())));
        unique
    }

    #[test]
    fn unique_key_is_short_and_includes_the_key_of_a_limit() {
        assert_eq!(unique("a").stored(None, "{}").unwrap(), "a");
        assert_eq!(unique("a").stored(Some("b c"), "{}").unwrap(), r#"["b c", "a"]"#);
        assert_eq!(unique(&"a".repeat(200)).stored(None, "{}").unwrap().len(), 200);
        assert_eq!(unique(&"a".repeat(201)).stored(None, "{}").unwrap().len(), 64);
    }

    #[test]
    fn redacted_arguments_are_stored_as_a_digest() {
        let stored = |policy: Policy| NewUnique::of(&policy).stored(None, r#"{"pin":7}"#).unwrap();
        let all = Policy::DEFAULT.unique(ComputedFrom::AllArguments);
        assert_eq!(stored(all), r#"{"pin": 7}"#);
        assert_eq!(stored(all.redact(&["pin"])), hex(sha256(br#"{"pin": 7}"#)));

        let some = |names| Policy::DEFAULT.redact(&["pin"]).unique(ComputedFrom::Arguments(names));
        assert!(NewUnique::of(&some(&["user", "pin"])).is_secret());
        assert!(!NewUnique::of(&some(&["user"])).is_secret());
        let mut given = NewUnique::of(&some(&["pin"]));
        given.give("order 7".to_owned());
        assert_eq!(given.stored(None, "{}").as_deref(), Some("order 7"), "the call shows it");
    }

    #[test]
    fn arguments_make_one_unique_key_in_any_order() {
        let args = NewUnique::of(&Policy::DEFAULT.unique(ComputedFrom::AllArguments));
        let stored = |json| args.stored(None, json).unwrap();
        assert_eq!(stored(r#"{"b":{"y":1,"x":2},"a":1}"#), stored(r#"{"a":1,"b":{"x":2,"y":1}}"#));
    }
}
