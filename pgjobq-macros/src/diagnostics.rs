//! The mistakes in one `#[job]`.

use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Error;

/// The mistakes in one `#[job]`. All of them are collected, so that one compile shows them all.
#[derive(Default)]
pub(crate) struct Diagnostics {
    errors: Vec<Error>,
}

impl Diagnostics {
    /// Notes a mistake at these tokens.
    pub(crate) fn error(&mut self, at: impl ToTokens, message: impl Display) {
        self.errors.push(Error::new_spanned(at, message));
    }

    /// Notes a mistake that is shown before the others.
    pub(crate) fn headline(&mut self, at: impl ToTokens, message: impl Display) {
        self.errors.insert(0, Error::new_spanned(at, message));
    }

    /// The number of mistakes so far.
    pub(crate) fn len(&self) -> usize {
        self.errors.len()
    }

    /// Returns the value of `result`, or notes its error.
    pub(crate) fn ok<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.errors.push(error)).ok()
    }

    /// Returns what `check` returns, unless it notes a mistake.
    pub(crate) fn unless_wrong<T>(&mut self, check: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let mut own = Self::default();
        let checked = check(&mut own);
        let right = own.errors.is_empty();
        self.errors.append(&mut own.errors);
        right.then_some(checked)
    }

    /// Returns the compile errors, to stand beside the generated code.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.errors.iter().map(Error::to_compile_error).collect()
    }
}
