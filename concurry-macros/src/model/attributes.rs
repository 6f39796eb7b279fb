//! What of the user's attributes holds for what is made of the item as well.

use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta, Path, Token, parse_quote};

use crate::errors::Errors;

/// Those of a method that hold for the handle's as well: documentation, conditions, and lints.
pub(super) fn carried_over(attributes: &[Attribute], worker: &Path) -> Vec<Attribute> {
    let named = kept(attributes, &["doc", "cfg", "deprecated", "allow", "expect"]);
    named.into_iter().map(allowed).map(|attribute| documentation(attribute, worker)).collect()
}

/// What is allowed. What is expected happens in the user's own item; elsewhere it may.
pub(super) fn lints(attributes: &[Attribute]) -> Vec<Attribute> {
    kept(attributes, &["allow", "expect"]).into_iter().map(allowed).collect()
}

/// The attributes with one of these names, also those behind a `cfg_attr`.
pub(super) fn kept(attributes: &[Attribute], names: &[&str]) -> Vec<Attribute> {
    let is_kept = |path: &Path| names.iter().any(|name| path.is_ident(name));
    attributes
        .iter()
        .filter_map(|attribute| {
            let Some((condition, parts)) = conditional(attribute) else {
                return is_kept(attribute.path()).then(|| attribute.clone());
            };
            let kept: Vec<_> = parts.into_iter().filter(|part| is_kept(part.path())).collect();
            (!kept.is_empty()).then(|| parse_quote!(#[cfg_attr(#condition, #(#kept),*)]))
        })
        .collect()
}

/// Takes what stands behind a `cfg_attr` off, if one of our own attributes does: what is emitted depends on whether it is there.
pub(super) fn strip_conditional(attributes: &mut Vec<Attribute>, errors: &mut Errors) {
    attributes.retain(|attribute| {
        let Some((_, parts)) = conditional(attribute) else { return true };
        let is_ours = |path: &&Path| ["retry", "limited"].iter().any(|name| path.is_ident(name));
        let Some(ours) = parts.iter().map(Meta::path).find(is_ours) else { return true };
        let name = ours.to_token_stream();
        errors.at(
            ours,
            format!("#[{name}] cannot depend on a `cfg`: write the method twice, each under a `#[cfg(…)]`"),
        );
        false
    });
}

/// The condition of a `cfg_attr`, and what holds under it.
pub(super) fn conditional(attribute: &Attribute) -> Option<(Meta, Vec<Meta>)> {
    if !attribute.path().is_ident("cfg_attr") {
        return None;
    }
    let parts = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()?;
    let mut parts = parts.into_iter();
    Some((parts.next()?, parts.collect()))
}

/// `expect` as `allow`.
fn allowed(mut attribute: Attribute) -> Attribute {
    if let Some((condition, mut parts)) = conditional(&attribute) {
        parts.iter_mut().for_each(allow);
        return parse_quote!(#[cfg_attr(#condition, #(#parts),*)]);
    }
    allow(&mut attribute.meta);
    attribute
}

fn allow(meta: &mut Meta) {
    if let Meta::List(list) = meta
        && list.path.is_ident("expect")
    {
        list.path = parse_quote!(allow);
    }
}

/// A line of documentation, as it stands at the handle's method: `Self` is the handle there, so what is the worker's is named,
/// and what is tested at the user's method is not tested once more.
fn documentation(attribute: Attribute, worker: &Path) -> Attribute {
    let Meta::NameValue(line) = &attribute.meta else { return attribute };
    let value = match &line.value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if line.path.is_ident("doc") => {
            LitStr::new(&without_self(&text.value(), worker), text.span()).into_token_stream()
        }
        value if line.path.is_ident("doc") => value.into_token_stream(),
        _ => return attribute,
    };
    parse_quote!(#[cfg_attr(not(doctest), doc = #value)])
}

/// The worker's name in the place of `Self::`.
fn without_self(text: &str, worker: &Path) -> String {
    let name = worker.to_token_stream().to_string().replace(' ', "");
    let mut parts = text.split("Self::");
    let mut named = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_word = named.ends_with(|before: char| before.is_alphanumeric() || before == '_');
        named.push_str(if is_word { "Self" } else { &name });
        named.push_str("::");
        named.push_str(part);
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn self_in_documentation_is_the_worker() {
        let named = |text: &str| without_self(text, &parse_quote!(super::Llm));
        assert_eq!(named("[`Self::new`], Self::x"), "[`super::Llm::new`], super::Llm::x");
        assert_eq!(named("of MySelf::x and Self"), "of MySelf::x and Self");
    }

    #[test]
    fn what_is_expected_is_allowed_elsewhere() {
        let attributes =
            [parse_quote!(#[expect(a, reason = "b")]), parse_quote!(#[cfg_attr(c, expect(d), inline)])];
        let lints: Vec<_> =
            lints(&attributes).iter().map(|lint| lint.to_token_stream().to_string()).collect();
        let expected: [Attribute; 2] =
            [parse_quote!(#[allow(a, reason = "b")]), parse_quote!(#[cfg_attr(c, allow(d))])];
        assert_eq!(lints, expected.map(|lint| lint.to_token_stream().to_string()));
    }
}
