//! Types of values that wait in a database: they own what they hold, and they can be named.

use quote::ToTokens;
use syn::{GenericArgument, Path, PathArguments, Type};

use crate::diagnostics::Diagnostics;

/// Notes every part of a type that borrows or that has no name.
pub(crate) fn check(ty: &Type, diagnostics: &mut Diagnostics) {
    match ty {
        Type::Reference(reference) => {
            let (borrowed, owned) = (shown(ty), owned(&reference.elem));
            let message =
                format!("a job outlives its caller, so it cannot borrow: write `{owned}`, not `{borrowed}`");
            diagnostics.error(reference, message);
        }
        Type::ImplTrait(unnamed) => {
            let message = format!("a stored value has one known type: write it in place of `{}`", shown(ty));
            diagnostics.error(unnamed, message);
        }
        Type::Path(path) => check_path(&path.path, diagnostics),
        Type::Tuple(tuple) => tuple.elems.iter().for_each(|element| check(element, diagnostics)),
        Type::Array(array) => check(&array.elem, diagnostics),
        Type::Slice(slice) => check(&slice.elem, diagnostics),
        Type::Group(group) => check(&group.elem, diagnostics),
        Type::Paren(paren) => check(&paren.elem, diagnostics),
        _ => {}
    }
}

fn check_path(path: &Path, diagnostics: &mut Diagnostics) {
    for segment in &path.segments {
        let PathArguments::AngleBracketed(arguments) = &segment.arguments else { continue };
        for argument in &arguments.args {
            match argument {
                GenericArgument::Type(ty) => check(ty, diagnostics),
                GenericArgument::Lifetime(lifetime) if lifetime.ident != "static" => {
                    diagnostics
                        .error(lifetime, "a job outlives its caller, so it cannot borrow: write `'static`");
                }
                _ => {}
            }
        }
    }
}

/// The type to write where one would have borrowed this one.
fn owned(borrowed: &Type) -> String {
    if let Type::Slice(slice) = borrowed {
        return format!("Vec<{}>", shown(&slice.elem));
    }
    match shown(borrowed).as_str() {
        "str" => "String".to_owned(),
        "Path" => "PathBuf".to_owned(),
        other => other.to_owned(),
    }
}

/// A type as one would write it: the compiler's own rendering of tokens puts spaces where nobody would.
pub(crate) fn shown(ty: &impl ToTokens) -> String {
    let tokens = ty.to_token_stream().to_string();
    let mut shown = String::new();
    let mut characters = tokens.chars().peekable();
    while let Some(character) = characters.next() {
        let before = shown.chars().last();
        let separates = before.is_some_and(in_word) && characters.peek().copied().is_some_and(in_word);
        if character != ' ' || separates || before == Some(',') {
            shown.push(character);
        }
    }
    shown
}

fn in_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}
