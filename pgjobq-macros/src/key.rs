//! The table of all keys.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use crate::parse::{Entry, Form, Opening};
use crate::settings::Settings;
use crate::{computed, value};

/// A key of the attribute.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// The words after "`queue` takes" in an error.
    takes: &'static str,
    /// An example of its value. One in parentheses follows the key without `=`.
    example: &'static str,
    pub(crate) set: fn(&mut Settings, &Entry) -> syn::Result<()>,
}

/// Every key. A key that only changes the policy needs no other line in this crate.
pub(crate) const KEYS: &[Key] = &[
    Key {
        name: "queue",
        takes: "a name in quotes",
        example: "\"mail\"",
        set: |keys, entry| {
            let queue = value::name(entry)?;
            keys.policy(quote!(.queue(#queue)))
        },
    },
    Key {
        name: "retries",
        takes: "a whole number",
        example: "5",
        set: |keys, entry| {
            let retries = value::number(entry)?;
            keys.policy(quote!(.retries(#retries)))
        },
    },
    Key {
        name: "kind",
        takes: "a name in quotes",
        example: "\"send_mail\"",
        set: |keys, entry| {
            keys.kind = Some(value::name(entry)?);
            Ok(())
        },
    },
    Key {
        name: "aliases",
        takes: "names in brackets",
        example: "[\"old_name\"]",
        set: |keys, entry| {
            keys.aliases = value::names(entry)?;
            Ok(())
        },
    },
    Key {
        name: "priority",
        takes: "a word in quotes",
        example: "\"high\"",
        set: |keys, entry| {
            let level = value::priority(entry)?;
            keys.policy(quote!(.priority(__pgjobq::Priority::#level)))
        },
    },
    Key {
        name: "timeout",
        takes: "a duration in quotes",
        example: "\"5m\"",
        set: |keys, entry| {
            let timeout = expression(value::duration(entry)?);
            keys.policy(quote!(.timeout(#timeout)))
        },
    },
    Key {
        name: "backoff",
        takes: "one duration or two in quotes",
        example: "\"1s..6h\"",
        set: |keys, entry| {
            let (first, longest) = value::backoff(entry)?;
            let (first, longest) = (expression(first), expression(longest));
            keys.policy(quote!(.backoff(__pgjobq::Backoff::exponential(#first, #longest))))
        },
    },
    Key {
        name: "max_crashes",
        takes: "a whole number",
        example: "3",
        set: |keys, entry| {
            let max_crashes = value::number(entry)?;
            keys.policy(quote!(.max_crashes(#max_crashes)))
        },
    },
    Key {
        name: "retain",
        takes: "a duration in quotes",
        example: "\"7d\"",
        set: |keys, entry| {
            let (text, duration) = value::retain(entry)?;
            keys.keeps_nothing = duration.is_zero().then_some(text);
            let retain = expression(duration);
            keys.policy(quote!(.retain(#retain)))
        },
    },
    Key {
        name: "redact",
        takes: "arguments",
        example: "[password]",
        set: |keys, entry| {
            keys.redact = value::arguments(entry)?;
            Ok(())
        },
    },
    Key {
        name: "attributes",
        takes: "arguments, or names and expressions",
        example: "(tenant, region = region.code())",
        set: |keys, entry| {
            keys.attributes = computed::read(entry)?;
            Ok(())
        },
    },
    Key {
        name: "crate",
        takes: "the path of pgjobq",
        example: "my_crate::pgjobq",
        set: |keys, entry| {
            keys.facade = Some(value::path(entry)?);
            Ok(())
        },
    },
];

impl Settings {
    fn policy(&mut self, call: TokenStream) -> syn::Result<()> {
        self.policy.push(call);
        Ok(())
    }
}

/// Returns the key of this name.
pub(crate) fn known(key: &Ident) -> Option<&'static Key> {
    KEYS.iter().find(|known| key == known.name)
}

/// Returns the expected value of a key, for errors about it.
pub(crate) fn form(key: &Ident) -> Form {
    match known(key) {
        Some(Key { takes, example, .. }) if example.starts_with('(') => {
            Form { what: takes, example: format!("`{key}{example}`"), opening: Opening::Parenthesis }
        }
        Some(Key { takes, example, .. }) => {
            Form { what: takes, example: format!("`{key} = {example}`"), opening: Opening::EqualsSign }
        }
        None => Form { what: "a value", example: format!("`{key} = …`"), opening: Opening::Any },
    }
}

fn expression(duration: Duration) -> TokenStream {
    let (seconds, milliseconds) = (duration.as_secs(), duration.subsec_millis());
    if milliseconds == 0 {
        return quote!(::core::time::Duration::from_secs(#seconds));
    }
    let milliseconds = seconds * 1000 + u64::from(milliseconds);
    quote!(::core::time::Duration::from_millis(#milliseconds))
}
