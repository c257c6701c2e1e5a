//! The spans of generated tokens: the scope in which their names resolve, and the place where errors are shown; and their lints.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

/// A variable that cannot conflict with a name of the user's.
pub(crate) fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// The span of generated code whose errors are shown at a place in the user's code. Lints ignore it.
pub(crate) fn at(place: Span) -> Span {
    Span::call_site().located_at(place)
}

/// The same name, with errors shown at another place.
pub(crate) fn moved(name: &Ident, place: Span) -> Ident {
    let mut moved = name.clone();
    moved.set_span(name.span().located_at(place));
    moved
}

/// Disables the lints that would report the macro's code to the user. The function itself stays linted.
pub(crate) fn lints() -> TokenStream {
    quote! {
        #[allow(
            dead_code,
            deprecated,
            missing_copy_implementations,
            missing_debug_implementations,
            non_camel_case_types,
            private_interfaces,
            unnameable_types,
            unreachable_pub,
            unused_qualifications,
            clippy::all,
            clippy::pedantic
        )]
    }
}
