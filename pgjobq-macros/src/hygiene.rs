//! The spans of generated tokens: the scope in which their names resolve, and the place where errors are shown.

use proc_macro2::{Ident, Span};

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
