//! The function that is decorated, and its parameter of type `Operation`.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, FnArg, PatType, ReturnType, Signature, Token, Type, Visibility};

use crate::refuse;

/// A function that can be decorated, its operation taken out of its signature.
///
/// The body stays as it was written: what the compiler says of it is about the user's own tokens.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    /// What it returns.
    pub(crate) output: Type,
    pub(crate) operation: PatType,
    /// Those at the beginning of the body, which are of the function.
    pub(crate) inner_attrs: Vec<Attribute>,
    pub(crate) body: Group,
}

impl Function {
    pub(crate) fn parse(item: TokenStream) -> Result<Self, Error> {
        syn::parse2(item)
    }
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self, Error> {
        let attrs = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let mut signature = signature(input)?;
        let (inner_attrs, body) = body(input, &signature)?;
        if signature.asyncness.is_none() {
            return Err(refuse(
                signature.fn_token,
                "`#[cancelable]` needs an `async fn`",
                "write `async fn`; a function that blocks can call `Cancelable::enter_blocking`",
            ));
        }
        let operation = take_operation(&mut signature)?;
        let output = output(&signature)?;
        Ok(Self {
            attrs,
            visibility,
            signature,
            output,
            operation,
            inner_attrs,
            body,
        })
    }
}

fn signature(input: ParseStream<'_>) -> Result<Signature, Error> {
    let start: TokenTree = input.fork().parse()?;
    let has_methods = input.peek(Token![impl]) || input.peek(Token![trait]);
    input.parse().map_err(|_| {
        // The compiler parsed the item before, so it is a sound one of another kind.
        let hint = if has_methods {
            "put it on each method that it is meant for"
        } else {
            "write it above an `async fn`"
        };
        refuse(start, "`#[cancelable]` goes on functions only", hint)
    })
}

fn body(input: ParseStream<'_>, signature: &Signature) -> Result<(Vec<Attribute>, Group), Error> {
    let body = match input.parse() {
        Ok(TokenTree::Group(body)) if body.delimiter() == Delimiter::Brace => body,
        _ => {
            return Err(refuse(
                &signature.ident,
                "`#[cancelable]` needs a function with a body",
                "in a trait, put it on the methods of each `impl`",
            ));
        }
    };
    let (inner_attrs, rest) = (|input: ParseStream<'_>| {
        let attrs = input.call(Attribute::parse_inner)?;
        Ok((attrs, input.parse::<TokenStream>()?))
    })
    .parse2(body.stream())?;
    if inner_attrs.is_empty() {
        return Ok((inner_attrs, body));
    }
    let mut without = Group::new(Delimiter::Brace, rest);
    without.set_span(body.span());
    Ok((inner_attrs, without))
}

fn output(signature: &Signature) -> Result<Type, Error> {
    let hint = "write `-> Result<(), Cancellation>`; any error type will do that is `From<Cancellation>` and `Display`";
    let what = "a function that can be cancelled returns a `Result`";
    match &signature.output {
        ReturnType::Default => Err(refuse(&signature.ident, what, hint)),
        ReturnType::Type(_, output) if is_surely_no_result(output) => {
            Err(refuse(output, what, hint))
        }
        ReturnType::Type(_, output) => Ok((**output).clone()),
    }
}

/// What can be told without knowing types: a path may be the alias of a `Result`.
fn is_surely_no_result(output: &Type) -> bool {
    match output {
        Type::Group(group) => is_surely_no_result(&group.elem),
        Type::Paren(paren) => is_surely_no_result(&paren.elem),
        Type::Path(path) => path.path.get_ident().is_some_and(|name| {
            let name = name.to_string();
            PRIMITIVES.contains(&name.as_str())
        }),
        Type::Macro(_) | Type::Verbatim(_) => false,
        _ => true,
    }
}

/// Takes the one parameter of type `Operation` out of the signature.
fn take_operation(signature: &mut Signature) -> Result<PatType, Error> {
    let mut operation: Option<PatType> = None;
    let mut rest = Punctuated::new();
    for parameter in std::mem::take(&mut signature.inputs) {
        match parameter {
            FnArg::Typed(parameter) if is_operation(&parameter.ty) => {
                if operation.is_some() {
                    return Err(refuse(
                        &parameter.ty,
                        "a second parameter of type `Operation`",
                        "the function is given one; another, from the caller, can be taken as `&Operation`",
                    ));
                }
                operation = Some(parameter);
            }
            parameter => rest.push(parameter),
        }
    }
    signature.inputs = rest;
    operation.ok_or_else(|| no_operation(signature))
}

fn no_operation(signature: &Signature) -> Error {
    let near_miss = signature
        .inputs
        .iter()
        .find_map(|parameter| match parameter {
            FnArg::Typed(parameter) if mentions_operation(parameter.ty.to_token_stream()) => {
                Some(&parameter.ty)
            }
            FnArg::Typed(_) | FnArg::Receiver(_) => None,
        });
    match near_miss {
        Some(ty) => refuse(
            ty,
            "the operation is given by value, as an `Operation`",
            "write `op: Operation`; it is a handle, cheap to clone",
        ),
        None => refuse(
            &signature.ident,
            "no parameter of type `Operation`",
            "add `op: Operation`, which callers will not see; an alias is not found unless it has that name too",
        ),
    }
}

fn is_operation(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == OPERATION && last.arguments.is_none()),
        Type::Group(group) => is_operation(&group.elem),
        Type::Paren(paren) => is_operation(&paren.elem),
        _ => false,
    }
}

fn mentions_operation(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == OPERATION,
        TokenTree::Group(group) => mentions_operation(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

const PRIMITIVES: &[&str] = &[
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u8", "u16",
    "u32", "u64", "u128", "usize",
];
const OPERATION: &str = "Operation";
