//! What a function must look like to be a job.

use proc_macro2::Ident;
use syn::{FnArg, GenericArgument, Pat, PatType, PathArguments, PathSegment, ReturnType, Safety, Type};

use crate::diagnostics::Diagnostics;
use crate::model::{Argument, Returned, Role};
use crate::owned;
use crate::parse::Item;

/// The arguments and the result of a job function; every mistake is noted.
pub(crate) fn check(item: &Item, diagnostics: &mut Diagnostics) -> (Vec<Argument>, Returned) {
    check_qualifiers(item, diagnostics);
    check_generics(item, diagnostics);
    let arguments = arguments(item, diagnostics);
    check_repetitions(&arguments, diagnostics);
    (arguments, returned(&item.signature.output, diagnostics))
}

fn check_qualifiers(item: &Item, diagnostics: &mut Diagnostics) {
    let signature = &item.signature;
    if signature.asyncness.is_none() {
        diagnostics.error(signature.fn_token, "a job function is async: write `async fn`");
    }
    if let Safety::Unsafe(token) = &signature.safety {
        diagnostics.error(token, "a worker cannot call an unsafe function: remove `unsafe`");
    }
    if let Some(abi) = &signature.abi {
        diagnostics.error(abi, "a job function is called from Rust only: remove `extern`");
    }
    if let Some(variadic) = &signature.variadic {
        diagnostics.error(variadic, "a job has a fixed number of arguments: take a `Vec` instead of `...`");
    }
    if item.body.to_string() == ";" {
        diagnostics.error(&signature.ident, "this job function has no body: write one in place of `;`");
    }
    let is_job = |path: &syn::Path| path.segments.last().is_some_and(|segment| segment.ident == "job");
    if let Some(second) = item.attributes.iter().find(|attribute| is_job(attribute.path())) {
        diagnostics.error(second, "`#[job]` is given twice: write all keys in one");
    }
}

fn check_generics(item: &Item, diagnostics: &mut Diagnostics) {
    let generics = &item.signature.generics;
    for parameter in &generics.params {
        let message = match parameter {
            syn::GenericParam::Lifetime(_) => {
                "a job outlives its caller, so it cannot borrow: remove the lifetime and take owned values"
            }
            _ => "a job is stored under one name, so it cannot be generic: write a concrete type",
        };
        diagnostics.error(parameter, message);
    }
    if let (Some(clause), true) = (&generics.where_clause, generics.params.is_empty()) {
        diagnostics.error(clause, "a job function has nothing to constrain: remove the `where` clause");
    }
}

fn arguments(item: &Item, diagnostics: &mut Diagnostics) -> Vec<Argument> {
    let mut arguments = Vec::new();
    for input in &item.signature.inputs {
        match input {
            FnArg::Receiver(receiver) => diagnostics.error(
                receiver,
                "a job function has no `self`: move it out of the `impl`, and take what it needs as arguments",
            ),
            FnArg::Typed(argument) => arguments.extend(check_argument(argument, diagnostics)),
        }
    }
    arguments
}

fn check_argument(argument: &PatType, diagnostics: &mut Diagnostics) -> Option<Argument> {
    if let Some(cfg) = argument.attrs.iter().find(|attribute| attribute.path().is_ident("cfg")) {
        diagnostics.error(cfg, "stored arguments are the same in every build: put `#[cfg]` on the whole job");
    }
    let role = role(&argument.ty);
    match role {
        Role::Stored if is_transaction(behind(&argument.ty)) => {
            diagnostics.error(&argument.ty, "a job borrows its transaction: write `&mut Tx`");
        }
        Role::Stored => owned::check(&argument.ty, diagnostics),
        _ => {}
    }
    let Some(name) = name(&argument.pat) else {
        let message = "a job's argument has a plain name: write one in place of this pattern";
        diagnostics.error(&argument.pat, message);
        return None;
    };
    Some(Argument { name: name.clone(), ty: (*argument.ty).clone(), role })
}

fn name(pattern: &Pat) -> Option<&Ident> {
    match pattern {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => Some(&name.ident),
        _ => None,
    }
}

fn check_repetitions(arguments: &[Argument], diagnostics: &mut Diagnostics) {
    for (index, argument) in arguments.iter().enumerate() {
        let earlier = &arguments[..index];
        if earlier.iter().any(|other| other.name == argument.name) {
            diagnostics.error(&argument.name, "an argument has that name already: write another one");
        }
        let is_transaction = |argument: &Argument| matches!(argument.role, Role::Transaction);
        if is_transaction(argument) && earlier.iter().any(is_transaction) {
            diagnostics.error(&argument.ty, "a job runs in one transaction: remove the second one");
        }
        let is_context = |argument: &Argument| matches!(argument.role, Role::Context);
        if is_context(argument) && earlier.iter().any(is_context) {
            diagnostics.error(&argument.ty, "a job runs with one `JobContext`: remove the second one");
        }
    }
}

/// What an argument is for, by the last segment of its type: macros cannot ask what a name stands for.
fn role(ty: &Type) -> Role {
    if matches!(ty, Type::Reference(reference) if reference.mutability.is_some() && is_transaction(&reference.elem))
    {
        return Role::Transaction;
    }
    let Some(segment) = last_segment(ty) else { return Role::Stored };
    match first_type(segment) {
        _ if segment.ident == "JobContext" => Role::Context,
        Some(state) if segment.ident == "State" => Role::State(Box::new(state.clone())),
        _ => Role::Stored,
    }
}

fn is_transaction(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == "Tx")
}

/// The type behind a reference.
fn behind(ty: &Type) -> &Type {
    if let Type::Reference(reference) = ty { &reference.elem } else { ty }
}

fn returned(output: &ReturnType, diagnostics: &mut Diagnostics) -> Returned {
    let ReturnType::Type(_, ty) = output else {
        let unit: Type = syn::parse_quote!(());
        return Returned { ty: unit.clone(), value: Some(unit) };
    };
    let result = last_segment(ty).filter(|segment| segment.ident == "Result");
    let value = result.and_then(first_type);
    match &**ty {
        Type::Never(never) => diagnostics.error(never, "a job ends: return `Result<()>`, or nothing"),
        ty if surely_no_result(ty) => {
            let shown = owned::shown(ty);
            let message = format!("a job function can fail: return `Result<{shown}>`, not `{shown}`");
            diagnostics.error(ty, message);
        }
        ty => owned::check(value.unwrap_or(ty), diagnostics),
    }
    Returned { ty: (**ty).clone(), value: value.cloned() }
}

/// Whether a type can be seen to be no `Result`. The compiler judges the others, at more length.
fn surely_no_result(ty: &Type) -> bool {
    const NO_RESULTS: [&str; 20] = [
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64",
        "u128", "usize", "String", "Option", "Vec", "Box",
    ];
    match ty {
        Type::Tuple(tuple) => !tuple.elems.is_empty(),
        Type::Array(_) => true,
        _ => last_segment(ty).is_some_and(|segment| NO_RESULTS.iter().any(|name| segment.ident == name)),
    }
}

/// The last segment of a type that is a path, seen through the brackets that a declarative macro leaves around it.
fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}

fn first_type(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}
