//! `#[pgjobq::test]`: a test with a database of its own.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Ident, ItemFn, LitInt, Path, Token};

/// The keys of the attribute.
#[derive(Default)]
struct Keys {
    /// Prepares the databases of all tests that name it.
    setup: Option<Path>,
    /// The threads of the test's runtime, if there is more than one.
    worker_threads: Option<LitInt>,
    /// The path of pgjobq in the output.
    facade: Option<Path>,
}

/// Expands the attribute. A function that is wrong is left as it was written, beside the error.
pub(crate) fn test(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let keys = syn::parse2::<Keys>(attribute);
    let function = syn::parse2::<ItemFn>(item.clone()).map_err(|error| {
        Error::new(error.span(), "only a function can be a test: put this on an `async fn`")
    });
    let checked = keys.and_then(|keys| function.and_then(|function| check(function).map(|ok| (keys, ok))));
    match checked {
        Ok((keys, function)) => expand(&keys, function),
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#[allow(dead_code)] #item #error)
        }
    }
}

fn check(function: ItemFn) -> syn::Result<ItemFn> {
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        return Err(Error::new_spanned(signature.fn_token, "a test with jobs is async: write `async fn`"));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(&signature.generics, "a test has no generic parameters: remove them"));
    }
    if signature.inputs.len() != 1 {
        let message = "a test takes its queue, and nothing else: write `(pg: TestQueue)`";
        return Err(if signature.inputs.is_empty() {
            Error::new_spanned(&signature.ident, message)
        } else {
            Error::new_spanned(&signature.inputs, message)
        });
    }
    Ok(function)
}

fn expand(keys: &Keys, function: ItemFn) -> TokenStream {
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let facade = keys.facade.as_ref().map_or_else(|| quote!(::pgjobq), ToTokens::to_token_stream);
    let private = quote!(#facade::testing::__private);
    let (name, inputs, output) = (&sig.ident, &sig.inputs, &sig.output);
    let title = name.unraw().to_string();
    let threads = keys.worker_threads.as_ref().map_or_else(|| quote!(0), ToTokens::to_token_stream);
    let should_panic = attrs.iter().any(|attribute| attribute.path().is_ident("should_panic"));
    let set_up = match &keys.setup {
        None => quote!(::core::option::Option::None),
        Some(path) => quote! {
            ::core::option::Option::Some(#private::SetUp {
                name: ::core::any::type_name_of_val(&#path),
                run: |pool| ::std::boxed::Box::pin(async move {
                    #path(pool).await.map_err(|error| ::std::format!("{error:?}"))
                }),
            })
        },
    };
    quote! {
        #(#attrs)*
        #[::core::prelude::v1::test]
        #vis fn #name() #output {
            // The body of the user's function sees what stands here, so that it must be nobody's name.
            async fn __pgjobq_body(#inputs) #output #block

            #private::run(
                #private::Test {
                    name: ::core::concat!(::core::module_path!(), "::", #title),
                    worker_threads: #threads,
                    should_panic: #should_panic,
                    set_up: #set_up,
                },
                __pgjobq_body,
            )
        }
    }
}

impl Parse for Keys {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut keys = Self::default();
        while !input.is_empty() {
            let key = input.call(Ident::parse_any)?;
            input.parse::<Token![=]>()?;
            match &*key.to_string() {
                "setup" => keys.setup = Some(input.parse()?),
                "worker_threads" => keys.worker_threads = Some(input.parse()?),
                "crate" => keys.facade = Some(input.parse()?),
                other => {
                    let message = format!(
                        "there is no key `{other}`: the keys are `setup`, `worker_threads` and `crate`"
                    );
                    return Err(Error::new(key.span(), message));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(keys)
    }
}
