//! Parses the attribute and the function as syntax. The rules of jobs are in `model`.

use std::mem;

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, Error, Signature, Token, Visibility, token};

/// The item under `#[job]`, without its body: rustc reports the mistakes in there.
pub(crate) struct Item {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) has_body: bool,
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        if !starts_function(input) {
            return Err(input.error("only a function can be a job: put `#[job]` on an `async fn`"));
        }
        let signature = input.parse()?;
        let has_body = !input.peek(Token![;]);
        input.parse::<TokenStream>()?;
        Ok(Self { attributes, visibility, signature, has_body })
    }
}

/// Returns whether a function follows, and not another item that begins like one (`const`, `unsafe impl`, `extern`).
fn starts_function(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    while !ahead.peek(Token![fn]) {
        let qualifier = ahead.peek(Token![const])
            || ahead.peek(Token![async])
            || ahead.peek(Token![unsafe])
            || ahead.peek(Token![extern])
            || ahead.peek(syn::LitStr);
        if !qualifier || ahead.parse::<TokenTree>().is_err() {
            return false;
        }
    }
    true
}

/// `key = value` or `key(value)` inside `#[job(…)]`. A key is a word, also `crate`; the value is every token up to the comma.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    pub(crate) value: TokenStream,
    pub(crate) form: Form,
}

/// The expected value of a key, as the errors show it.
pub(crate) struct Form {
    /// The words after "`queue` takes", such as "a name in quotes".
    pub(crate) what: &'static str,
    /// An example of the whole entry.
    pub(crate) example: String,
    pub(crate) opening: Opening,
}

/// The token between a key and its value.
#[derive(Clone, Copy)]
pub(crate) enum Opening {
    /// `key = value`
    EqualsSign,
    /// `key(value)`
    Parenthesis,
    /// One of the two, because the key is unknown.
    Any,
}

impl Entry {
    /// Parses one entry. A value with an `=` after its first token means that a comma is missing.
    fn parse(input: ParseStream<'_>, form_of: fn(&Ident) -> Form) -> syn::Result<Self> {
        let key = Ident::parse_any(input)
            .map_err(|error| Error::new(error.span(), "a key is missing here: write `key = value`"))?;
        let form = form_of(&key);
        // A key alone has an empty value, which the reader of its value reports.
        let parenthesis = input.peek(token::Paren);
        let (begins, missing) = match form.opening {
            Opening::EqualsSign => (input.parse::<Token![=]>().is_ok(), "`=` is"),
            Opening::Parenthesis => (parenthesis, "parentheses are"),
            Opening::Any => (parenthesis || input.parse::<Token![=]>().is_ok(), "`=` is"),
        };
        if !input.is_empty() && !begins {
            return Err(input.error(format!("{missing} missing here: write {}", form.example)));
        }
        let value: TokenStream = input.parse()?;
        match next_key(&value) {
            Some(next) => {
                Err(Error::new_spanned(&next, format!("a comma is missing before `{next}`: write one")))
            }
            None => Ok(Self { key, value, form }),
        }
    }
}

/// Returns the next key if the comma before it is missing: `5 kind = …`.
fn next_key(value: &TokenStream) -> Option<Ident> {
    let tokens: Vec<_> = value.clone().into_iter().take(3).collect();
    match tokens.as_slice() {
        [_, TokenTree::Ident(key), TokenTree::Punct(equals)] if equals.as_char() == '=' => Some(key.clone()),
        _ => None,
    }
}

/// Returns the entries of an attribute, each with its own mistake if it has one.
pub(crate) fn entries(attribute: TokenStream, form_of: fn(&Ident) -> Form) -> Vec<syn::Result<Entry>> {
    let read = |entry| (|input: ParseStream<'_>| Entry::parse(input, form_of)).parse2(entry);
    let (mut entries, mut entry) = (Vec::new(), TokenStream::new());
    for token in attribute {
        if !matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',') {
            entry.extend([token]);
        } else if entry.is_empty() {
            entries.push(Err(Error::new_spanned(token, "nothing stands before this comma: remove it")));
        } else {
            entries.push(read(mem::take(&mut entry)));
        }
    }
    if !entry.is_empty() {
        entries.push(read(entry)); // A comma after the last entry is welcome, and not needed.
    }
    entries
}
