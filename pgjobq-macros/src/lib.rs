//! The `#[job]` attribute of pgjobq. Use the `pgjobq` crate, which documents it: its examples only compile there.
#![forbid(unsafe_code)]

mod attribute;
mod computed;
mod constructors;
mod diagnostics;
mod duration;
mod expand;
mod function;
mod handler;
mod hygiene;
mod key;
mod limits;
mod model;
mod names;
mod owned;
mod parse;
mod rate;
mod returned;
mod role;
mod settings;
mod types;
mod unknown;
mod usage;
mod value;
mod versions;
mod ways_in;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

/// Makes a job of an async function. The `pgjobq` crate documents it.
#[proc_macro_attribute]
pub fn job(attribute: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand::job(attribute.into(), item.into()).into()
}
