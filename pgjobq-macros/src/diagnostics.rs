//! Every mistake in one `#[job]`.

use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Error;

/// Every mistake in one `#[job]`, so that one compile shows them all.
#[derive(Default)]
pub(crate) struct Diagnostics {
    all: Option<Error>,
}

impl Diagnostics {
    /// A mistake at these tokens.
    pub(crate) fn error(&mut self, at: impl ToTokens, message: impl Display) {
        self.add(Error::new_spanned(at, message));
    }

    /// A mistake that knows its place.
    pub(crate) fn add(&mut self, error: Error) {
        match &mut self.all {
            Some(all) => all.combine(error),
            None => self.all = Some(error),
        }
    }

    /// What there is, if it is right; otherwise its mistakes are noted.
    pub(crate) fn ok<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    /// What there is, if `check` finds no mistake in it.
    pub(crate) fn unless_wrong<T>(&mut self, check: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let mut own = Self::default();
        let checked = check(&mut own);
        match own.all {
            Some(errors) => {
                self.add(errors);
                None
            }
            None => Some(checked),
        }
    }

    /// The compile errors, to stand beside what could be generated.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.all.map(|errors| errors.to_compile_error()).unwrap_or_default()
    }
}
