//! Macros in the user's code: what they take is looked into where it is plain what that is.
//!
//! Expressions with commas between them, the `value; count` of `vec!`, and the value and the pattern of `matches!`. All else
//! stays as it is.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut;
use syn::{Expr, Macro, Pat, Path, Token};

use super::Literals;

/// Macros that take values. What others take may be a type, a field, or part of an item, though it looks like a value.
const TAKE_VALUES: &[&str] = &[
    "assert",
    "assert_eq",
    "assert_ne",
    "dbg",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "eprint",
    "eprintln",
    "format",
    "format_args",
    "panic",
    "print",
    "println",
    "todo",
    "unimplemented",
    "unreachable",
    "vec",
    "write",
    "writeln",
];

/// Macros that take a value and a pattern.
const TAKE_PATTERNS: &[&str] = &["assert_matches", "debug_assert_matches", "matches"];

/// A value, a pattern, and what else such a macro takes.
struct Matched {
    value: Expr,
    comma: Token![,],
    pattern: Pat,
    guard: Option<(Token![if], Expr)>,
    /// The comma at the end, or a message.
    rest: TokenStream,
}

impl Parse for Matched {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (value, comma) = (input.parse()?, input.parse()?);
        let pattern = Pat::parse_multi_with_leading_vert(input)?;
        let guard =
            input.parse::<Option<Token![if]>>()?.map(|token| Ok::<_, syn::Error>((token, input.parse()?)));
        Ok(Self { value, comma, pattern, guard: guard.transpose()?, rest: input.parse()? })
    }
}

/// Rewrites what `call` takes.
pub(super) fn rewrite(literals: &mut Literals<'_>, call: &mut Macro) {
    // Its text is all that is taken.
    if is_one_of(&call.path, &["stringify"]) {
        return;
    }
    let takes_pattern = is_one_of(&call.path, TAKE_PATTERNS);
    let takes_values = literals.names_are_values && (takes_pattern || is_one_of(&call.path, TAKE_VALUES));
    let outer_names = std::mem::replace(&mut literals.names_are_values, takes_values);
    let outer_changed = std::mem::replace(&mut literals.changed, false);
    let tokens = call.tokens.clone();
    let rewritten = if takes_pattern { matched(literals, tokens) } else { values(literals, tokens) };
    if let (Some(tokens), true) = (rewritten, literals.changed) {
        call.tokens = tokens;
    }
    literals.names_are_values = outer_names;
    literals.changed |= outer_changed;
}

fn is_one_of(path: &Path, names: &[&str]) -> bool {
    path.segments.last().is_some_and(|last| names.iter().any(|name| last.ident == name))
}

fn matched(literals: &mut Literals<'_>, tokens: TokenStream) -> Option<TokenStream> {
    let Matched { mut value, comma, mut pattern, mut guard, rest } = syn::parse2(tokens).ok()?;
    literals.visit_expr_mut(&mut value);
    literals.visit_pat_mut(&mut pattern);
    if let Some((_, guard)) = &mut guard {
        literals.visit_expr_mut(guard);
    }
    let guard = guard.map(|(token, guard)| quote!(#token #guard));
    Some(quote!(#value #comma #pattern #guard #rest))
}

fn values(literals: &mut Literals<'_>, tokens: TokenStream) -> Option<TokenStream> {
    if let Ok(mut list) = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(tokens.clone()) {
        list.iter_mut().for_each(|value| literals.visit_expr_mut(value));
        return Some(list.into_token_stream());
    }
    let repeated = |input: ParseStream<'_>| Ok((input.parse()?, input.parse()?, input.parse()?));
    let (mut value, semicolon, mut count): (Expr, Token![;], Expr) = repeated.parse2(tokens).ok()?;
    literals.visit_expr_mut(&mut value);
    literals.visit_expr_mut(&mut count);
    Some(quote!(#value #semicolon #count))
}
