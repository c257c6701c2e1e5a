//! What stands in the source, before any rule of ours is applied to it.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, Signature, Token, Visibility};

/// The item under `#[job]`. Its body stays raw, so that what is wrong in there is rustc's to say.
pub(crate) struct Item {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: TokenStream,
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        if !starts_function(input) {
            return Err(input.error("only a function can be a job: put `#[job]` on an `async fn`"));
        }
        Ok(Self { attributes, visibility, signature: input.parse()?, body: input.parse()? })
    }
}

/// Whether what follows is a function, and not merely something that begins like one (`const`, `unsafe impl`, `extern`).
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

/// `key = value` inside `#[job(…)]`. Keys are words, `crate` among them; values are whatever stands before the comma.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    pub(crate) value: TokenStream,
}

impl Parse for Entry {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let key = Ident::parse_any(input)
            .map_err(|error| Error::new(error.span(), "a key is missing here: write `key = value`"))?;
        if input.is_empty() {
            return Ok(Self { key, value: TokenStream::new() });
        }
        if input.parse::<Token![=]>().is_err() {
            let message = format!("a value follows `=`: write `{key} = …`");
            return Err(input.error(message));
        }
        Ok(Self { key, value: input.parse()? })
    }
}

/// The entries of an attribute, each of which may be wrong by itself.
pub(crate) fn entries(attribute: TokenStream) -> impl Iterator<Item = syn::Result<Entry>> {
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let tokens: Vec<_> = attribute.into_iter().collect();
    let mut parts: Vec<TokenStream> =
        tokens.split(is_comma).map(|part| part.iter().cloned().collect()).collect();
    if parts.last().is_some_and(TokenStream::is_empty) {
        parts.pop(); // What follows the last comma, or all of an empty attribute.
    }
    parts.into_iter().map(syn::parse2)
}
