//! The keys of `#[job(…)]`.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use syn::{LitStr, Path};

use crate::diagnostics::Diagnostics;
use crate::parse::{Entry, entries};
use crate::{names, value};

/// What the attribute says. What it says wrong counts as not said.
#[derive(Default)]
pub(crate) struct Keys {
    pub(crate) queue: Option<LitStr>,
    pub(crate) retries: Option<u16>,
    pub(crate) kind: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) priority: Option<Ident>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) max_crashes: Option<u16>,
    pub(crate) retain: Option<Retain>,
    /// The key itself, where it stands.
    pub(crate) transactional: Option<Ident>,
    /// The arguments that are shown to nobody.
    pub(crate) redact: Vec<Ident>,
    pub(crate) facade: Option<Path>,
}

/// From the first delay up to the longest.
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) most: Duration,
}

/// How long a completed job is kept, and where that is written.
pub(crate) struct Retain {
    pub(crate) duration: Duration,
    pub(crate) at: LitStr,
}

/// A key, what it takes, and an example.
struct Key(&'static str, &'static str, &'static str);

const KEYS: [Key; 12] = [
    Key("queue", "a name in quotes", "\"mail\""),
    Key("retries", "a whole number", "5"),
    Key("kind", "a name in quotes", "\"send_mail\""),
    Key("aliases", "names in brackets", "[\"old_name\"]"),
    Key("priority", "a word in quotes", "\"high\""),
    Key("timeout", "a duration in quotes", "\"5m\""),
    Key("backoff", "one duration or two in quotes", "\"1s..6h\""),
    Key("max_crashes", "a whole number", "3"),
    Key("retain", "a duration in quotes", "\"7d\""),
    Key("transactional", "no value", ""),
    Key("redact", "arguments", "[password]"),
    Key("crate", "the path of pgjobq", "my_crate::pgjobq"),
];

impl Keys {
    /// Reads an attribute.
    pub(crate) fn read(attribute: TokenStream, diagnostics: &mut Diagnostics) -> Self {
        let mut keys = Self::default();
        let mut seen = Vec::new();
        for entry in entries(attribute) {
            let Some(entry) = diagnostics.ok(entry) else { continue };
            if seen.contains(&entry.key) {
                let message = format!("`{}` is given twice: remove one of the two", entry.key);
                diagnostics.error(&entry.key, message);
                continue;
            }
            keys.set(&entry, diagnostics);
            seen.push(entry.key);
        }
        keys
    }

    fn set(&mut self, entry: &Entry, diagnostics: &mut Diagnostics) {
        match entry.key.to_string().as_str() {
            "queue" => self.queue = diagnostics.ok(value::name(entry)),
            "retries" => self.retries = diagnostics.ok(value::number(entry)),
            "kind" => self.kind = diagnostics.ok(value::name(entry)),
            "aliases" => self.aliases = diagnostics.ok(value::names(entry)).unwrap_or_default(),
            "priority" => self.priority = diagnostics.ok(value::priority(entry)),
            "timeout" => self.timeout = diagnostics.ok(value::duration(entry)),
            "backoff" => self.backoff = diagnostics.ok(value::backoff(entry)),
            "max_crashes" => self.max_crashes = diagnostics.ok(value::number(entry)),
            "retain" => self.retain = diagnostics.ok(value::retain(entry)),
            "transactional" => {
                diagnostics.ok(value::flag(entry));
                self.transactional = Some(entry.key.clone());
            }
            "redact" => self.redact = diagnostics.ok(value::arguments(entry)).unwrap_or_default(),
            "crate" => self.facade = diagnostics.ok(value::path(entry)),
            unknown => diagnostics.error(&entry.key, unknown_key(unknown)),
        }
    }
}

fn unknown_key(key: &str) -> String {
    let known = KEYS.map(|Key(known, ..)| format!("`{known}`")).join(", ");
    match names::nearest(key, KEYS.iter().map(|Key(known, ..)| *known)) {
        Some(nearest) => format!("there is no key `{key}`: did you mean `{nearest}`? The keys are {known}"),
        None => format!("there is no key `{key}`: the keys are {known}"),
    }
}

/// What a key takes, and an example; the key has no value, or one of the wrong form.
pub(crate) fn takes(key: &Ident) -> (&'static str, String) {
    let known = KEYS.iter().find(|Key(known, ..)| key == known);
    let (what, example) = known.map_or(("a value", "…"), |Key(_, what, example)| (*what, *example));
    match example {
        "" => (what, format!("`{key}`")),
        example => (what, format!("`{key} = {example}`")),
    }
}
