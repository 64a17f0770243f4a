//! What a decorated function becomes.
//!
//! Paths of ours begin at the root of a crate, and the one binding of ours is hygienic, so no name of the user's can clash
//! with them. Our tokens stand, for the compiler, at what the user wrote and they are about: that is where errors point.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::visit_mut::{self, VisitMut};
use syn::{PatType, PathArguments, Type};

use crate::options::Options;
use crate::signature::Function;

/// The function that callers see, with the operation around its body.
pub(crate) fn expand(options: &Options, function: &Function) -> TokenStream {
    let Function {
        attrs,
        visibility,
        signature,
        output,
        operation,
        inner_attrs,
        body,
    } = function;
    let builder = builder(options, function);
    let given = quote_spanned!(our_span_at(&operation.ty)=> given);
    let PatType {
        attrs: operation_attrs,
        pat,
        ty,
        ..
    } = operation;
    // Everything around the body is said to be where the error type is: of all that the user wrote it alone can fail the
    // bounds there, and what the compiler finds wrong twice in one place it tells once.
    let around = our_span_at(error_type(output));
    let krate = spanned(options.krate.clone(), around);
    let output = nameable(output);
    // Only a `return` can tell the compiler what an async block returns before it reads the block: so `?`, `into` and
    // coercions in the body work as they do in a plain function.
    let run = quote_spanned! {around=>
        #krate::Cancelable::try_run(#builder, async move |#given| {
            if false {
                return ::core::option::Option::<#output>::unwrap(::core::option::Option::None);
            }
            #(#operation_attrs)*
            let #pat: #ty = #given;
            #body
        })
        .await
    };
    quote! {
        #(#attrs)*
        #visibility #signature {
            #(#inner_attrs)*
            #run
        }
    }
}

fn builder(options: &Options, function: &Function) -> TokenStream {
    let krate = &options.krate;
    let name = match &options.name {
        Some(name) => name.to_token_stream(),
        None => {
            let ident = &function.signature.ident;
            let name = ident.unraw().to_string();
            quote_spanned!(ident.span()=> #name)
        }
    };
    let timeout = options.timeout.as_ref().map(|timeout| {
        let limit = timeout.expand();
        quote!(.timeout(#limit))
    });
    quote!(#krate::Cancelable::new().name(#name)#timeout)
}

/// Of a `Result<T, E>` the `E`; else the type itself.
fn error_type(output: &Type) -> &dyn ToTokens {
    if let Type::Path(path) = output
        && let Some(last) = path.path.segments.last()
        && let PathArguments::AngleBracketed(arguments) = &last.arguments
        && let Some(error) = arguments.args.iter().nth(1)
    {
        return error;
    }
    output
}

/// A span for our own names at the place of the user's `tokens`.
fn our_span_at(tokens: &dyn ToTokens) -> Span {
    let first = tokens.to_token_stream().into_iter().next();
    let place = first.map_or_else(Span::call_site, |first| first.span());
    Span::mixed_site().located_at(place)
}

fn spanned(tokens: TokenStream, span: Span) -> TokenStream {
    let spanned = tokens.into_iter().map(|mut token| {
        token.set_span(span);
        token
    });
    spanned.collect()
}

/// The type as it can be written in a body: an `impl Trait`, which has no name there, is left to be inferred.
fn nameable(output: &Type) -> Type {
    struct InferOpaque;

    impl VisitMut for InferOpaque {
        fn visit_type_mut(&mut self, part: &mut Type) {
            if let Type::ImplTrait(opaque) = part {
                *part = Type::Verbatim(quote_spanned!(opaque.span()=> _));
            } else {
                visit_mut::visit_type_mut(self, part);
            }
        }
    }

    let mut output = output.clone();
    InferOpaque.visit_type_mut(&mut output);
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares token by token, so that the layout is of no account.
    #[track_caller]
    fn check(args: TokenStream, item: TokenStream, expected: TokenStream) {
        let (options, error) = Options::parse(args);
        assert!(error.is_none(), "{error:?}");
        let function = Function::parse(item).expect("a function that can be decorated");
        assert_eq!(
            expand(&options, &function).to_string(),
            expected.to_string()
        );
    }

    /// What stands in the place of the body.
    fn around(builder: TokenStream, output: TokenStream, operation: TokenStream) -> TokenStream {
        quote! {
            ::cancelable::Cancelable::try_run(#builder, async move |given| {
                if false {
                    return ::core::option::Option::<#output>::unwrap(::core::option::Option::None);
                }
                #operation = given;
                { body }
            })
            .await
        }
    }

    #[test]
    fn a_bare_attribute_names_the_operation_after_the_function() {
        let body = around(
            quote!(::cancelable::Cancelable::new().name("fetch")),
            quote!(Result<u8, Error>),
            quote!(let op: Operation),
        );
        check(
            quote!(),
            quote!(
                async fn fetch(url: &str, op: Operation) -> Result<u8, Error> {
                    body
                }
            ),
            quote!(async fn fetch(url: &str) -> Result<u8, Error> { #body }),
        );
    }

    #[test]
    fn every_option_is_told_to_the_builder() {
        let limit = quote!(::core::time::Duration::new(90u64, 0u32));
        let body = around(
            quote!(::cancelable::Cancelable::new().name("import").timeout(#limit)),
            quote!(Result<u8, Error>),
            quote!(let _: a::Operation),
        );
        check(
            quote!(timeout = "1m 30s", name = "import", crate = "::cancelable"),
            quote!(
                async fn fetch(_: a::Operation) -> Result<u8, Error> {
                    body
                }
            ),
            quote!(async fn fetch() -> Result<u8, Error> { #body }),
        );
    }

    #[test]
    fn qualifiers_and_attributes_stay() {
        let body = around(
            quote!(::cancelable::Cancelable::new().name("try").timeout(LIMIT)),
            quote!(R<'a, T>),
            quote!(#[cfg(all())] let mut op: Operation),
        );
        check(
            quote!(timeout = LIMIT),
            quote! {
                /// Fetches.
                #[inline]
                pub(crate) async unsafe extern "C" fn r#try<'a, T: 'a>(
                    #[cfg(all())] mut op: Operation,
                    (a, b): (T, T)
                ) -> R<'a, T>
                where
                    T: Send,
                {
                    #![expect(unused)]
                    body
                }
            },
            quote! {
                /// Fetches.
                #[inline]
                pub(crate) async unsafe extern "C" fn r#try<'a, T: 'a>((a, b): (T, T)) -> R<'a, T>
                where
                    T: Send,
                {
                    #![expect(unused)]
                    #body
                }
            },
        );
    }

    #[test]
    fn a_type_that_has_no_name_is_inferred() {
        let body = around(
            quote!(::cancelable::Cancelable::new().name("f")),
            quote!(Result<Box<_>, _>),
            quote!(let op: Operation),
        );
        check(
            quote!(),
            quote!(
                async fn f(op: Operation) -> Result<Box<impl Fn() -> u8>, impl Error> {
                    body
                }
            ),
            quote!(async fn f() -> Result<Box<impl Fn() -> u8>, impl Error> { #body }),
        );
    }
}
