//! `#[limited(…)]` on a method.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{Attribute, Expr, ExprPath, Ident, LitStr, Meta, Token};

use crate::errors::Errors;

/// What stands in `#[limited(…)]`: the keys of limits and the amounts of them.
#[derive(Default)]
pub(crate) struct LimitedArgs {
    pub(crate) amounts: Vec<(LitStr, Expr)>,
}

/// `key = amount`.
struct Amount {
    key: LitStr,
    amount: Expr,
}

impl Parse for Amount {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let key = if input.peek(LitStr) {
            input.parse()?
        } else {
            let key = input.call(Ident::parse_any)?;
            LitStr::new(&key.unraw().to_string(), key.span())
        };
        if !input.peek(Token![=]) {
            return Err(syn::Error::new(
                key.span(),
                format!("`{0}` needs an amount: `{0} = …`", key.value()),
            ));
        }
        input.parse::<Token![=]>()?;
        let amount: Expr = input.parse()?;
        if let Some(place) = find_self(&amount) {
            return Err(syn::Error::new(
                place,
                "an amount is known before there is a worker for the call: compute it from the arguments",
            ));
        }
        Ok(Self { key, amount })
    }
}

/// Where an expression names `self` as a value, if it does.
fn find_self(expression: &Expr) -> Option<Span> {
    struct Find(Option<Span>);
    impl<'ast> Visit<'ast> for Find {
        fn visit_expr_path(&mut self, path: &'ast ExprPath) {
            if path.path.is_ident("self") {
                self.0 = Some(path.span());
            }
        }
    }
    let mut find = Find(None);
    find.visit_expr(expression);
    find.0
}

/// Whether an attribute is ours, and not the compiler's to see.
pub(crate) fn is_limited(attribute: &Attribute) -> bool {
    attribute.path().is_ident("limited")
}

impl LimitedArgs {
    /// Notes amounts that name a part of an argument: they are computed from the arguments as they are given, so that those can
    /// be sent on.
    pub(super) fn check_parts(&self, parts: &[Ident], errors: &mut Errors) {
        struct Find<'a>(&'a [Ident], &'a mut Errors);
        impl<'ast> Visit<'ast> for Find<'_> {
            fn visit_expr_path(&mut self, path: &'ast ExprPath) {
                if let Some(name) = self.0.iter().find(|name| path.path.is_ident(*name)) {
                    let message = format!(
                        "`{name}` is a part of an argument: give that a name, use it here, and take it apart in the body"
                    );
                    self.1.at(path, message);
                }
            }
        }
        let mut find = Find(parts, errors);
        self.amounts.iter().for_each(|(_, amount)| find.visit_expr(amount));
    }

    /// What the attributes of a method say.
    pub(super) fn of(attributes: &[Attribute], errors: &mut Errors) -> Option<Self> {
        let mut found = attributes.iter().filter(|attribute| is_limited(attribute));
        let attribute = found.next()?;
        for second in found {
            errors.at(second, "a method has one #[limited]: put all limits into that");
        }
        let mut args = Self::default();
        if let Meta::Path(_) = attribute.meta {
            return Some(args);
        }
        match attribute.parse_args_with(Punctuated::<Amount, Token![,]>::parse_terminated) {
            Ok(amounts) => {
                for Amount { key, amount } in amounts {
                    if args.amounts.iter().any(|(other, _)| other.value() == key.value()) {
                        errors.at(&key, format!("`{}` is named twice", key.value()));
                    } else {
                        args.amounts.push((key, amount));
                    }
                }
            }
            Err(error) => errors.add(error),
        }
        Some(args)
    }
}
