//! `assert_enqueued!` and `assert_not_enqueued!`: what a test expects of the jobs of one kind.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{BinOp, Error, Expr, Pat, Path, Token, bracketed, parenthesized, token};

use crate::hygiene::local;
use crate::written::written;

/// The options, each with its place in an assertion.
const OPTIONS: &[&str] = &["count", "at_least", "queue", "priority", "key", "delay", "run_at"];

/// An assertion, as it is written: the test's queue, a job function, and then conditions and options.
struct Assertion {
    /// The path of pgjobq, which the macro of the facade passes on.
    facade: TokenStream,
    queue: Expr,
    job: Path,
    parts: Vec<Part>,
}

/// One condition or option.
enum Part {
    /// `user == "ada"`, or `plan: Plan::Pro { .. }`.
    Condition { argument: Ident, test: Test, text: String },
    /// `attribute("tenant") == 42`.
    Attribute(Expr, Expr),
    /// `count = 2`.
    Option(Ident, Expr),
}

enum Test {
    Comparison(BinOp, Box<Expr>),
    Pattern(Box<Pat>),
}

/// Expands an assertion about jobs that are enqueued.
pub(crate) fn enqueued(tokens: TokenStream) -> TokenStream {
    expand(tokens, false)
}

/// Expands an assertion that no such job is enqueued.
pub(crate) fn not_enqueued(tokens: TokenStream) -> TokenStream {
    expand(tokens, true)
}

fn expand(tokens: TokenStream, is_none: bool) -> TokenStream {
    let written = syn::parse2::<Assertion>(tokens);
    let checked = written.and_then(|written| if is_none { written.without_count() } else { Ok(written) });
    checked.map_or_else(Error::into_compile_error, |assertion| assertion.expand(is_none))
}

impl Assertion {
    /// Rejects a number of jobs in an assertion that takes none.
    fn without_count(self) -> syn::Result<Self> {
        for part in &self.parts {
            if let Part::Option(name, _) = part
                && ["count", "at_least"].contains(&&*name.to_string())
            {
                let message = format!("no such job may be enqueued, so `{name}` has no meaning: remove it");
                return Err(Error::new(name.span(), message));
            }
        }
        Ok(self)
    }

    fn expand(&self, is_none: bool) -> TokenStream {
        let Self { facade, queue, job, parts } = self;
        let (args, expected, problem) = (local("args"), local("expected"), local("problem"));
        let (mut tests, mut texts, mut calls) = (Vec::new(), Vec::new(), Vec::new());
        let (mut values, mut bound) = (Vec::new(), Vec::new());
        for part in parts {
            match part {
                Part::Condition { argument, test, text } => {
                    if let Test::Comparison(_, value) = test {
                        values.push(value);
                        bound.push(local(&format!("value_{}", values.len())));
                    }
                    tests.push(test.of(&args, argument, bound.last()));
                    texts.push(text);
                }
                Part::Attribute(name, value) => calls.push(quote!(.attribute(#name, #value))),
                Part::Option(name, value) => calls.push(quote!(.#name(#value))),
            }
        }
        let none = is_none.then(|| quote!(.count(0)));
        // Without conditions nothing is decoded: a job is enqueued whatever its arguments are.
        let (stored, decode) = match tests.is_empty() {
            true => (quote!(_), None),
            false => (quote!(#args), Some(quote!(let #args = <#job>::__args(#args)?;))),
        };
        // Each value is evaluated once, where `?` and `.await` mean what they say. A `match` keeps temporaries, which a `let` would drop.
        quote! {
            match (#(&(#values),)*) {
                (#(#bound,)*) => {
                    let #expected = #facade::testing::__private::Expected::new(
                        <#job>::KIND,
                        <#job>::__ARGS,
                        &[#(#texts),*],
                        |#stored| {
                            #decode
                            ::core::result::Result::Ok(::std::vec![#(#tests),*])
                        },
                    ) #(#calls)* #none;
                    if let ::core::result::Result::Err(#problem) = #expected.check(&#queue).await {
                        ::core::panic!("{}", #problem);
                    }
                }
            }
        }
    }
}

impl Test {
    /// The expression that is true if the argument is as expected. A mistyped name is reported where it is written. `value` refers to
    /// the value of a comparison.
    fn of(&self, args: &Ident, argument: &Ident, value: Option<&Ident>) -> TokenStream {
        match self {
            Self::Comparison(operator, _) => quote!(#args.#argument #operator *#value),
            Self::Pattern(pattern) => quote_spanned! {pattern.span()=>
                match &#args.#argument {
                    #pattern => true,
                    #[allow(unreachable_patterns)]
                    _ => false,
                }
            },
        }
    }
}

impl Parse for Assertion {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let facade;
        bracketed!(facade in input);
        let facade = facade.parse()?;
        if input.is_empty() {
            return Err(
                input.error("write the test's queue and a job: `(pg, send_welcome, user == \"ada\")`")
            );
        }
        let queue = input.parse()?;
        input
            .parse::<Token![,]>()
            .map_err(|error| Error::new(error.span(), "write the job after the queue"))?;
        let job = input.parse()?;
        let mut parts = Vec::new();
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if !input.is_empty() {
                parts.push(input.parse()?);
            }
        }
        Ok(Self { facade, queue, job, parts })
    }
}

impl Parse for Part {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.call(Ident::parse_any)?;
        if name == "attribute" && input.peek(token::Paren) {
            let attribute;
            parenthesized!(attribute in input);
            let attribute = attribute.parse()?;
            input.parse::<Token![==]>()?;
            return Ok(Self::Attribute(attribute, input.parse()?));
        }
        if input.peek(Token![=]) && !input.peek(Token![==]) {
            return option(name, input);
        }
        if input.peek(Token![:]) {
            input.parse::<Token![:]>()?;
            let pattern = input.call(Pat::parse_multi_with_leading_vert)?;
            let text = written(quote!(#name: #pattern));
            return Ok(Self::Condition { argument: name, test: Test::Pattern(Box::new(pattern)), text });
        }
        let operator = input.parse::<BinOp>().ok().filter(compares);
        let Some(operator) = operator else {
            let message = format!(
                "compare an argument (`{name} == value`), match it (`{name}: pattern`), or set an option (`count = 2`)"
            );
            return Err(Error::new(name.span(), message));
        };
        let value: Expr = input.parse()?;
        let text = written(quote!(#name #operator #value));
        Ok(Self::Condition { argument: name, test: Test::Comparison(operator, Box::new(value)), text })
    }
}

fn option(name: Ident, input: ParseStream<'_>) -> syn::Result<Part> {
    input.parse::<Token![=]>()?;
    let value = input.parse()?;
    if OPTIONS.contains(&&*name.to_string()) {
        return Ok(Part::Option(name, value));
    }
    let message = format!(
        "there is no option `{name}`: the options are `{}`; to compare an argument, write `{name} == …`",
        OPTIONS.join("`, `")
    );
    Err(Error::new(name.span(), message))
}

fn compares(operator: &BinOp) -> bool {
    matches!(
        operator,
        BinOp::Eq(_) | BinOp::Ne(_) | BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_)
    )
}
