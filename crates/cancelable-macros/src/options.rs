//! What stands between the parentheses of the attribute.

use std::time::Duration;

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Error, Expr, ExprLit, Ident, Lit, LitStr, Path, Token};

use crate::refuse;

/// All that may be said; what is left out has its default.
pub(crate) struct Options {
    pub(crate) timeout: Option<Timeout>,
    pub(crate) name: Option<Expr>,
    /// How the crate `cancelable` is called where the function stands.
    pub(crate) krate: TokenStream,
}

/// A time limit, known now or once the function is called.
pub(crate) enum Timeout {
    Parsed(LitStr, Duration),
    Expression(Box<Expr>),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: None,
            name: None,
            krate: quote!(::cancelable),
        }
    }
}

impl Options {
    /// What was understood, and what was wrong with the rest: with that much the function can still be expanded, and the
    /// user sees the errors in its body as well.
    pub(crate) fn parse(args: TokenStream) -> (Self, Option<Error>) {
        let mut options = Self::default();
        let mut wrong = None;
        let mut seen = Vec::new();
        let all = |input: ParseStream<'_>| {
            while !input.is_empty() {
                let (key, value) = key_and_value(input)?;
                if let Err(error) = options.set(&key, value, &mut seen) {
                    note(&mut wrong, error);
                }
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        };
        if let Err(error) = all.parse2(args) {
            note(&mut wrong, error);
        }
        (options, wrong)
    }

    fn set(&mut self, key: &Ident, value: Expr, seen: &mut Vec<Ident>) -> Result<(), Error> {
        if seen.contains(key) {
            let what = format!("option `{key}` is given twice");
            return Err(refuse(key, what, "leave one of them out"));
        }
        seen.push(key.clone());
        match key.to_string().as_str() {
            "timeout" => self.timeout = Some(timeout(value)?),
            "name" => self.name = Some(value),
            "crate" => self.krate = path(&value)?,
            unknown => {
                let what = format!("unknown option `{unknown}`");
                return Err(refuse(key, what, format!("the options are {KNOWN}")));
            }
        }
        Ok(())
    }
}

impl Timeout {
    /// An expression of type `Duration`.
    pub(crate) fn expand(&self) -> TokenStream {
        match self {
            Self::Parsed(text, limit) => {
                let (secs, nanos) = (limit.as_secs(), limit.subsec_nanos());
                quote_spanned!(text.span()=> ::core::time::Duration::new(#secs, #nanos))
            }
            Self::Expression(expression) => expression.to_token_stream(),
        }
    }
}

fn key_and_value(input: ParseStream<'_>) -> Result<(Ident, Expr), Error> {
    if !input.peek(Ident::peek_any) {
        let what = "expected the name of an option";
        return Err(refuse(input.parse::<TokenTree>()?, what, EXAMPLE));
    }
    let key = input.call(Ident::parse_any)?;
    let equals: Option<Token![=]> = input.parse()?;
    if equals.is_none() || input.is_empty() {
        let what = format!("expected `{key} = …`");
        return Err(refuse(&key, what, format!("the options are {KNOWN}")));
    }
    Ok((key, input.parse()?))
}

fn timeout(value: Expr) -> Result<Timeout, Error> {
    match literal(&value) {
        Some(Lit::Str(text)) => {
            let limit = duration(text)?;
            Ok(Timeout::Parsed(text.clone(), limit))
        }
        Some(Lit::Int(_) | Lit::Float(_)) => Err(refuse(
            &value,
            "a number alone is no time limit",
            format!("give it a unit, such as \"{}s\"", value.to_token_stream()),
        )),
        // Of any other literal the compiler says that it is no `Duration`.
        _ => Ok(Timeout::Expression(Box::new(value))),
    }
}

fn duration(text: &LitStr) -> Result<Duration, Error> {
    let limit = humantime::parse_duration(&text.value()).map_err(|error| {
        let what = format!("malformed time limit {}: {error}", text.token());
        refuse(text, what, "write it as \"10s\", \"1m 30s\" or \"500ms\"")
    })?;
    if limit.is_zero() {
        let what = "a time limit of zero cancels before the body is polled once";
        return Err(refuse(
            text,
            what,
            "leave `timeout` out for no limit, or give one such as \"10s\"",
        ));
    }
    Ok(limit)
}

fn path(value: &Expr) -> Result<TokenStream, Error> {
    let hint = "give it as text, such as `crate = \"my_crate::cancelable\"`";
    let Some(Lit::Str(text)) = literal(value) else {
        return Err(refuse(value, "expected the path of a crate", hint));
    };
    let path = text
        .parse_with(Path::parse_mod_style)
        .map_err(|_| refuse(text, format!("{} is no path", text.token()), hint))?;
    Ok(path.into_token_stream())
}

/// The literal that it is, also where it went through a declarative macro.
fn literal(value: &Expr) -> Option<&Lit> {
    match value {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

fn note(wrong: &mut Option<Error>, error: Error) {
    match wrong {
        Some(wrong) => wrong.combine(error),
        None => *wrong = Some(error),
    }
}

const KNOWN: &str = "`timeout = \"10s\"`, `name = \"…\"` and `crate = \"…\"`";
const EXAMPLE: &str = "write `#[cancelable(timeout = \"10s\")]`";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(args: TokenStream, timeout: Option<&str>) {
        let (options, error) = Options::parse(args);
        assert!(error.is_none(), "{error:?}");
        let given = options.timeout.map(|timeout| match timeout {
            Timeout::Parsed(_, limit) => format!("{limit:?}"),
            Timeout::Expression(expression) => expression.to_token_stream().to_string(),
        });
        assert_eq!(given.as_deref(), timeout);
    }

    #[test]
    fn a_time_limit_is_text_or_an_expression() {
        check(quote!(), None);
        check(quote!(timeout = "10s"), Some("10s"));
        check(quote!(timeout = "10s",), Some("10s"));
        check(quote!(timeout = "1m 30s"), Some("90s"));
        check(quote!(timeout = "500ms"), Some("500ms"));
        check(quote!(timeout = "1ns", name = "n"), Some("1ns"));
        check(quote!(name = "n", timeout = LIMIT), Some("LIMIT"));
        check(quote!(timeout = limit * 2), Some("limit * 2"));
    }

    #[track_caller]
    fn check_wrong(args: TokenStream, expected: &[&str]) {
        let (_, error) = Options::parse(args);
        let errors: Vec<_> = error.into_iter().flatten().map(|e| e.to_string()).collect();
        assert_eq!(errors.len(), expected.len(), "{errors:?}");
        for (error, expected) in errors.iter().zip(expected) {
            assert!(error.contains(expected), "{error:?}, not {expected:?}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        check_wrong(quote!(timeout = "0ms"), &["zero"]);
        check_wrong(quote!(timeout = "0"), &["zero"]);
        check_wrong(quote!(timeout = ""), &["malformed time limit \"\""]);
        check_wrong(quote!(timeout = "-1s"), &["malformed time limit \"-1s\""]);
        check_wrong(quote!(timeout = 2.5), &["such as \"2.5s\""]);
        check_wrong(quote!(crate = 7), &["path of a crate"]);
        check_wrong(quote!(crate = "a b"), &["\"a b\" is no path"]);
        check_wrong(quote!(name), &["expected `name = …`"]);
        check_wrong(
            quote!(timeot = "1s", timeout = "1x", timeout = "2s"),
            &["unknown option `timeot`", "unknown time unit", "twice"],
        );
    }
}
