//! The rules for a job function's signature.

use proc_macro2::Ident;
use syn::{FnArg, Pat, PatType, ReturnType, Safety};

use crate::diagnostics::Diagnostics;
use crate::parse::Item;
use crate::returned::Returned;
use crate::role::{Argument, Role, is_meant_as_transaction};
use crate::types::future_output;
use crate::{owned, usage};

/// Returns the arguments and the return type of a job function, and notes every mistake in its signature.
pub(crate) fn check(item: &Item, diagnostics: &mut Diagnostics) -> (Vec<Argument>, Returned) {
    check_qualifiers(item, diagnostics);
    check_generics(item, diagnostics);
    let arguments = arguments(item, diagnostics);
    check_repetitions(&arguments, diagnostics);
    let returned = Returned::of(&item.signature, diagnostics);
    if diagnostics.len() > 1 {
        let usage = usage::suggestion(&item.signature);
        diagnostics.headline(&item.signature.ident, format!("a job function looks like this: `{usage}`"));
    }
    (arguments, returned)
}

fn check_qualifiers(item: &Item, diagnostics: &mut Diagnostics) {
    let signature = &item.signature;
    let is_future = matches!(&signature.output, ReturnType::Type(_, ty) if future_output(ty).is_some());
    if signature.asyncness.is_none() && !is_future {
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
    if !item.has_body {
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
    if let Some(serde) = argument.attrs.iter().find(|attribute| attribute.path().is_ident("serde")) {
        let message = "an argument has no serde attributes: write `Option<T>` for one that older jobs lack, or take a struct of your \
                       own, with the attributes on its fields";
        diagnostics.error(serde, message);
    }
    let role = Role::of(&argument.ty);
    match &role {
        Role::Stored if is_meant_as_transaction(&argument.ty) => {
            diagnostics.error(&argument.ty, "a job borrows the transaction of its attempt: write `&mut Tx`");
        }
        Role::Stored => owned::check(&argument.ty, diagnostics),
        Role::Batch(item) => owned::check(item, diagnostics),
        _ => {}
    }
    let Some(name) = name(&argument.pat) else {
        let message = "a job's argument has a plain name: write one in place of this pattern";
        diagnostics.error(&argument.pat, message);
        return None;
    };
    let ty = if let Role::Batch(item) = &role { (**item).clone() } else { (*argument.ty).clone() };
    Some(Argument { name: name.clone(), ty, role })
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
