//! Reads the keys of `#[job(…)]`.

use proc_macro2::TokenStream;

use crate::diagnostics::Diagnostics;
use crate::key::{form, known};
use crate::parse::entries;
use crate::settings::Settings;
use crate::unknown;

impl Settings {
    /// Reads an attribute and notes its mistakes.
    pub(crate) fn read(attribute: TokenStream, diagnostics: &mut Diagnostics) -> Self {
        let mut keys = Self::default();
        for entry in entries(attribute, form) {
            let Some(entry) = diagnostics.ok(entry) else { continue };
            if keys.given.contains(&entry.key) {
                let message = format!("`{}` is given twice: remove one of the two", entry.key);
                diagnostics.error(&entry.key, message);
                continue;
            }
            match known(&entry.key) {
                Some(key) => drop(diagnostics.ok((key.set)(&mut keys, &entry))),
                None => diagnostics.error(&entry.key, unknown::answer(&entry.key.to_string())),
            }
            keys.given.push(entry.key);
        }
        keys
    }
}
