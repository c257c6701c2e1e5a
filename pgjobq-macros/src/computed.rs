//! The values that a job computes from its arguments: its attributes, its key, its weight, and its unique key.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Error, Expr, LitStr, Result, Token, parenthesized};

use crate::parse::Entry;
use crate::value::misfit;

/// A value that a job computes, and its expressions: several only of a unique key.
pub(crate) struct Computed {
    pub(crate) of: Of,
    expressions: Vec<Expr>,
    /// True if the value is a list, also of one expression.
    is_list: bool,
}

/// The use of a computed value.
pub(crate) enum Of {
    Attribute(LitStr),
    Key,
    Weight,
    Unique,
}

const NAMELESS: &str = "an expression needs a name: write `name = …`, with the name of the attribute";

/// Reads the attributes in the parentheses. The error names every wrong one.
pub(crate) fn attributes(entry: &Entry) -> Result<Vec<Computed>> {
    let list = |input: ParseStream<'_>| {
        let content;
        parenthesized!(content in input);
        content.parse_terminated(NamedExpression::parse, Token![,])
    };
    let list = list.parse2(entry.value.clone());
    let list = list.map_err(|error| if error.to_string() == NAMELESS { error } else { misfit(entry) })?;
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
    let computed = |NamedExpression { name, expression }| Computed::one(Of::Attribute(name), expression);
    mistakes.map_or_else(|| Ok(list.into_iter().map(computed).collect()), Err)
}

/// Reads the expression of a key or a weight.
pub(crate) fn expression(of: Of, entry: &Entry) -> Result<Computed> {
    let expression = syn::parse2(entry.value.clone()).map_err(|_| misfit(entry))?;
    Ok(Computed::one(of, expression))
}

/// Reads what makes a job unique: `None` is the word `args`, all arguments. Names of arguments are compared as JSON, also one alone, and
/// any other expression as text.
pub(crate) fn unique(entry: &Entry) -> Result<Option<Computed>> {
    let expression = syn::parse2(entry.value.clone()).map_err(|_| misfit(entry))?;
    let list = |expressions| Computed { of: Of::Unique, expressions, is_list: true };
    match expression {
        Expr::Path(path) if path.path.is_ident("args") => Ok(None),
        Expr::Tuple(tuple) if tuple.elems.is_empty() => Err(misfit(entry)),
        Expr::Tuple(tuple) => Ok(Some(list(tuple.elems.into_iter().collect()))),
        Expr::Paren(one) => Ok(Some(list(vec![*one.expr]))),
        Expr::Array(array) => {
            let names = array.elems.to_token_stream();
            let message = format!("arguments stand in parentheses: write `unique = ({names})`");
            Err(Error::new_spanned(array, message))
        }
        one if name(&one).is_some() => Ok(Some(list(vec![one]))),
        other => Ok(Some(Computed::one(Of::Unique, other))),
    }
}

/// The name of an attribute, and the expression of its value.
struct NamedExpression {
    name: LitStr,
    expression: Expr,
}

impl Parse for NamedExpression {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.peek(LitStr) {
            let name = input.parse()?;
            input.parse::<Token![=]>()?;
            return Ok(Self { name, expression: input.parse()? });
        }
        let argument = Ident::parse_any(input)?;
        let name = LitStr::new(&argument.unraw().to_string(), argument.span());
        if input.is_empty() || input.peek(Token![,]) {
            return Ok(Self { name, expression: syn::parse2(argument.into_token_stream())? });
        }
        if !input.peek(Token![=]) {
            return Err(Error::new(argument.span(), NAMELESS));
        }
        input.parse::<Token![=]>()?;
        Ok(Self { name, expression: input.parse()? })
    }
}

impl NamedExpression {
    fn mistake<'n>(&self, mut before: impl Iterator<Item = &'n Self>) -> Option<String> {
        let name = self.name.value();
        if before.any(|other| other.name.value() == name) {
            return Some(format!("the attribute `{name}` is given twice: remove one of the two"));
        }
        let fits = (1..=100).contains(&name.chars().count()) && !name.contains('\0');
        (!fits).then(|| {
            "the name of an attribute is 1 to 100 characters without NUL: write another one".to_owned()
        })
    }
}

impl Computed {
    fn one(of: Of, expression: Expr) -> Self {
        Self { of, expressions: vec![expression], is_list: false }
    }

    /// The value. Arguments stand in the expression as they are. One that stands alone is borrowed, and so is a field of one, because
    /// the job needs it, too.
    pub(crate) fn value(&self) -> TokenStream {
        let values = self.expressions.iter().map(|expression| {
            let borrow =
                (self.is_list || is_place(expression)).then(|| quote_spanned!(expression.span()=> &));
            quote_spanned!(expression.span()=> #borrow #expression)
        });
        let span = self.expressions.first().map_or_else(proc_macro2::Span::call_site, Spanned::span);
        match self.of {
            Of::Attribute(_) => quote_spanned!(span=> __pgjobq::Attribute::value(#(#values)*)),
            Of::Key => quote_spanned!(span=> __pgjobq::Key::key(#(#values)*)),
            Of::Weight => quote_spanned!(span=> __pgjobq::Weight::weight(#(#values)*)),
            Of::Unique if self.is_list => quote_spanned!(span=> __pgjobq::unique_by_all(&(#(#values,)*))),
            Of::Unique => quote_spanned!(span=> __pgjobq::unique_by(#(#values)*)),
        }
    }

    /// The call that gives a new job its value.
    pub(crate) fn of_job(&self, value: &Ident) -> TokenStream {
        match &self.of {
            Of::Attribute(name) => quote!(.attribute(#name, #value)),
            Of::Key => quote!(.computed_key(#value)),
            Of::Weight => quote!(.weight(#value)),
            Of::Unique => quote!(.computed_unique(#value)),
        }
    }

    /// The call that gives a new step its value, if it is known. No step is unique.
    pub(crate) fn of_step(&self, value: &Ident) -> TokenStream {
        match &self.of {
            Of::Attribute(name) => quote!(.computed(#name, #value)),
            Of::Key => quote!(.computed_key(#value)),
            Of::Weight => quote!(.computed_weight(#value)),
            Of::Unique => TokenStream::new(),
        }
    }

    /// The call that tells the policy from where the value comes. An attribute is none of the policy.
    pub(crate) fn of_policy(&self) -> Option<TokenStream> {
        let call = match self.of {
            Of::Attribute(_) => return None,
            Of::Key => quote!(key),
            Of::Weight => quote!(weight),
            Of::Unique => quote!(unique),
        };
        let from = match self.arguments() {
            Some(names) => {
                let names = names.iter().map(|name| name.unraw().to_string());
                quote!(Arguments(&[#(#names),*]))
            }
            None => quote!(Expression),
        };
        Some(quote!(.#call(__pgjobq::ComputedFrom::#from)))
    }

    /// Returns the names that the expressions are, if they are nothing else.
    pub(crate) fn arguments(&self) -> Option<Vec<&Ident>> {
        self.expressions.iter().map(name).collect()
    }

    /// Returns the names of the variables that the expressions are, or are fields of, or borrow.
    pub(crate) fn places(&self) -> impl Iterator<Item = &Ident> {
        self.expressions.iter().filter_map(place)
    }

    /// Returns the number that the expression is, if it is one.
    pub(crate) fn literal(&self) -> Option<&syn::LitInt> {
        match self.expressions.as_slice() {
            [Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. })] => Some(number),
            _ => None,
        }
    }

    /// Returns the text that the value is, if it is one.
    pub(crate) fn text(&self) -> Option<String> {
        match self.expressions.as_slice() {
            [Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. })] => Some(text.value()),
            _ => None,
        }
    }

    /// Returns whether an expression may use an argument. A field or a method of that name counts, too.
    pub(crate) fn uses(&self, argument: &Ident) -> bool {
        let name = argument.unraw().to_string();
        self.expressions.iter().any(|expression| mentions(expression.to_token_stream(), &name))
    }
}

impl ToTokens for Computed {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.expressions.iter().for_each(|expression| expression.to_tokens(tokens));
    }
}

/// Returns the name that an expression is.
fn name(expression: &Expr) -> Option<&Ident> {
    match expression {
        Expr::Path(path) => path.path.get_ident(),
        _ => None,
    }
}

/// Returns whether an expression names a variable, or a field of one.
fn is_place(expression: &Expr) -> bool {
    !matches!(expression, Expr::Reference(_)) && place(expression).is_some()
}

/// Returns the variable that an expression names, of which it names a field, or which it borrows.
fn place(expression: &Expr) -> Option<&Ident> {
    match expression {
        Expr::Field(field) => place(&field.base),
        Expr::Reference(reference) => place(&reference.expr),
        other => name(other),
    }
}

/// Returns whether a name stands among these tokens, also in the text of a macro such as `format!("{name}")`.
fn mentions(tokens: TokenStream, name: &str) -> bool {
    let mut after_bang = false;
    tokens.into_iter().any(|token| {
        let is_in_macro = std::mem::take(&mut after_bang);
        match token {
            TokenTree::Ident(word) => word.unraw() == name,
            TokenTree::Literal(_) => false,
            TokenTree::Group(group) => {
                mentions(group.stream(), name) || is_in_macro && formats(group.stream(), name)
            }
            TokenTree::Punct(punct) => {
                after_bang = punct.as_char() == '!';
                false
            }
        }
    })
}

/// Returns whether the arguments of a macro begin with a text such as `"{name}"`, `"{name:?}"` or `"{:name$}"`.
fn formats(arguments: TokenStream, name: &str) -> bool {
    let Some(TokenTree::Literal(text)) = arguments.into_iter().next() else { return false };
    let text = text.to_string().replace("{{", "");
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + name.len()..].chars().next());
        before == Some('{') && matches!(after, Some('}' | ':')) || after == Some('$')
    })
}
