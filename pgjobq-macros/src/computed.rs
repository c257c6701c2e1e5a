//! The attributes that a job computes from its arguments: `attributes(tenant, region = region.code())`.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Error, Expr, LitStr, Result, Token, parenthesized};

use crate::parse::Entry;
use crate::value::misfit;

/// An attribute, and the expression of its value.
pub(crate) struct Computed {
    pub(crate) name: LitStr,
    expression: Expr,
    /// True if only the name of an argument is written.
    pub(crate) is_argument: bool,
}

/// Reads the attributes in the parentheses. The error names every wrong one.
pub(crate) fn read(entry: &Entry) -> Result<Vec<Computed>> {
    let list = |input: ParseStream<'_>| {
        let content;
        parenthesized!(content in input);
        content.parse_terminated(Computed::parse, Token![,])
    };
    let list = list.parse2(entry.value.clone()).map_err(|_| misfit(entry))?;
    if list.is_empty() {
        return Err(misfit(entry));
    }
    let mistakes = list.iter().enumerate().filter_map(|(at, one)| {
        let mistake = one.mistake(list.iter().take(at))?;
        Some(Error::new_spanned(&one.name, mistake))
    });
    let mistakes = mistakes.reduce(|mut all, one| {
        all.combine(one);
        all
    });
    mistakes.map_or(Ok(list.into_iter().collect()), Err)
}

impl Parse for Computed {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.peek(LitStr) {
            let name = input.parse()?;
            input.parse::<Token![=]>()?;
            return Ok(Self { name, expression: input.parse()?, is_argument: false });
        }
        let argument = Ident::parse_any(input)?;
        let name = LitStr::new(&argument.unraw().to_string(), argument.span());
        if input.is_empty() || input.peek(Token![,]) {
            let expression = syn::parse2(argument.into_token_stream())?;
            return Ok(Self { name, expression, is_argument: true });
        }
        input.parse::<Token![=]>()?;
        Ok(Self { name, expression: input.parse()?, is_argument: false })
    }
}

impl Computed {
    fn mistake<'c>(&self, mut before: impl Iterator<Item = &'c Self>) -> Option<String> {
        let name = self.name.value();
        if before.any(|other| other.name.value() == name) {
            return Some(format!("the attribute `{name}` is given twice: remove one of the two"));
        }
        let fits = (1..=100).contains(&name.chars().count()) && !name.contains('\0');
        (!fits).then(|| {
            "the name of an attribute is 1 to 100 characters without NUL: write another one".to_owned()
        })
    }

    /// The value. Arguments stand in the expression as they are. One that stands alone is borrowed, and so is a field of one, because
    /// the job needs it, too.
    pub(crate) fn value(&self) -> TokenStream {
        let expression = &self.expression;
        let borrow = is_place(expression).then(|| quote_spanned!(expression.span()=> &));
        quote_spanned!(expression.span()=> __pgjobq::Attribute::value(#borrow #expression))
    }

    /// Returns whether the expression may use an argument. A field or a method of that name counts, too.
    pub(crate) fn uses(&self, argument: &Ident) -> bool {
        mentions(self.expression.to_token_stream(), &argument.unraw().to_string())
    }
}

/// Returns whether an expression names a variable, or a field of one.
fn is_place(expression: &Expr) -> bool {
    match expression {
        Expr::Path(path) => path.path.get_ident().is_some(),
        Expr::Field(field) => is_place(&field.base),
        _ => false,
    }
}

/// Returns whether a name stands among these tokens, also in a text such as `"{name}"`.
fn mentions(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word.unraw() == name,
        TokenTree::Literal(literal) => literal.to_string().contains(name),
        TokenTree::Group(group) => mentions(group.stream(), name),
        TokenTree::Punct(_) => false,
    })
}
