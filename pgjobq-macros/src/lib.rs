//! The `#[job]` attribute of pgjobq, and the macros of its test kit. Use the `pgjobq` crate, which documents it: its examples only compile there.
#![forbid(unsafe_code)]

mod assertion;
mod attribute;
mod batch;
mod computed;
mod constructors;
mod diagnostics;
mod duration;
mod expand;
mod function;
mod handler;
mod hygiene;
#[allow(dead_code)] // The crate of the library uses what this one does not.
mod instant;
mod key;
mod limits;
mod model;
mod names;
mod owned;
mod parse;
mod rate;
mod returned;
mod role;
mod schedule;
#[allow(dead_code)] // The crate of the library uses what this one does not.
mod schedule_text;
mod scheduled;
mod settings;
mod shown_args;
mod test_function;
mod types;
mod unknown;
mod usage;
mod value;
mod versions;
mod ways_in;
mod written;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

/// Makes a job of an async function. The `pgjobq` crate documents it.
#[proc_macro_attribute]
pub fn job(attribute: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand::job(attribute.into(), item.into()).into()
}

/// Makes a test of an async function, with a database of its own. The `pgjobq` crate documents it.
#[proc_macro_attribute]
pub fn test(attribute: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    test_function::test(attribute.into(), item.into()).into()
}

/// Asserts that jobs are enqueued. The `pgjobq` crate has a macro that calls this one, and documents it.
#[proc_macro]
pub fn assert_enqueued(tokens: proc_macro::TokenStream) -> proc_macro::TokenStream {
    assertion::enqueued(tokens.into()).into()
}

/// Asserts that no such job is enqueued. The `pgjobq` crate has a macro that calls this one, and documents it.
#[proc_macro]
pub fn assert_not_enqueued(tokens: proc_macro::TokenStream) -> proc_macro::TokenStream {
    assertion::not_enqueued(tokens.into()).into()
}
