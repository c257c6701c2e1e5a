//! The keys of `#[job(…)]`, as a job gives them.

use proc_macro2::{Ident, TokenStream};
use syn::{LitStr, Path};

use crate::diagnostics::Diagnostics;
use crate::key::known;
use crate::parse::entries;
use crate::unknown;

/// The settings that an attribute gives. A key with a mistake counts as absent.
#[derive(Default)]
pub(crate) struct Keys {
    /// Calls that change `Policy::DEFAULT`, such as `.retries(5)`.
    pub(crate) policy: Vec<TokenStream>,
    pub(crate) kind: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
    /// The value of `retain`, if completed jobs are not kept at all.
    pub(crate) keeps_nothing: Option<LitStr>,
    /// The arguments that are shown to nobody.
    pub(crate) redact: Vec<Ident>,
    /// The path of pgjobq.
    pub(crate) facade: Option<Path>,
}

impl Keys {
    /// Reads an attribute and notes its mistakes.
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
            match known(&entry.key) {
                Some(key) => drop(diagnostics.ok((key.set)(&mut keys, &entry))),
                None => diagnostics.error(&entry.key, unknown::answer(&entry.key.to_string())),
            }
            seen.push(entry.key);
        }
        keys
    }
}
