//! Where the macro's own tokens belong: to whom their names mean something, and where errors in them are shown.

use proc_macro2::{Ident, Span};

/// A variable that no name of the user's can meet.
pub(crate) fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// The macro's own code, shown at a place in the user's: errors point there, and lints leave it alone.
pub(crate) fn at(place: Span) -> Span {
    Span::call_site().located_at(place)
}

/// The same name, shown at another place.
pub(crate) fn moved(name: &Ident, place: Span) -> Ident {
    let mut moved = name.clone();
    moved.set_span(name.span().located_at(place));
    moved
}
