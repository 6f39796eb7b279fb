//! The user's own code, with the injected field.
//!
//! The user writes `Self { model }`; the struct has the field `limits` as well. So each literal of the worker in its `impl`
//! block gets that field, and each pattern a `..`. In `new`, code that names `limits` finds the worker's own pool.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::token::Brace;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Expr, ExprPath, ExprStruct, Fields, Ident, ImplItem, Item, ItemImpl, ItemStruct, Macro, Pat, PatStruct,
    Path, Token, Visibility, parse_quote, parse_quote_spanned,
};

use crate::model::is_same;

mod limits;
mod macros;

/// The struct with its field `limits`; a tuple struct, which is a mistake, stays as it is.
pub(crate) fn inject_field(item: &mut ItemStruct, has_serde: bool) {
    let fields: Vec<_> = match &item.fields {
        Fields::Named(fields) => fields.named.iter().cloned().collect(),
        Fields::Unit => Vec::new(),
        Fields::Unnamed(_) => return,
    };
    let given =
        fields.iter().any(|field: &syn::Field| field.ident.as_ref().is_some_and(|ident| ident == "limits"));
    let injected = if given {
        TokenStream::new()
    } else {
        let visibility = visibility_of_limits(item);
        // It is no part of what is stored: whoever reads a worker gives it limits.
        let skip = has_serde.then(|| quote!(#[serde(skip)]));
        quote! {
            /// The limits of this worker: its own pool over the shared sets.
            #skip
            #visibility limits: ::concurry::LimitPool,
        }
    };
    item.fields = Fields::Named(parse_quote!({ #(#fields,)* #injected }));
    item.semi_token = None;
}

/// Whoever may name all fields in a literal may do so with this one as well, as far as the crate goes: the field is as visible
/// as the most visible one of the user's, or, when there is none, as the struct.
fn visibility_of_limits(item: &ItemStruct) -> Visibility {
    let rank = |visibility: &&Visibility| match visibility {
        Visibility::Public(_) => 4,
        Visibility::Restricted(within) if within.path.is_ident("crate") => 3,
        Visibility::Restricted(within) if within.in_token.is_some() => 2,
        Visibility::Restricted(within) if within.path.is_ident("super") => 1,
        Visibility::Restricted(_) | Visibility::Inherited => 0,
    };
    let widest = item.fields.iter().map(|field| &field.vis).max_by_key(rank).unwrap_or(&item.vis);
    match widest {
        Visibility::Public(_) => parse_quote!(pub(crate)),
        narrower => narrower.clone(),
    }
}

/// The `impl` block with literals and patterns that know of the field. The literals are of the type `literal`: the worker by
/// another name, of which it may depend whether there is such a type. Whether there was anything to be changed.
pub(crate) fn rewrite_impl(item: &mut ItemImpl, worker: &Path, literal: Option<&Ident>) -> bool {
    let mut literals = Literals {
        worker,
        literal,
        self_is_worker: true,
        names_are_values: true,
        runs: Runs::Later,
        changed: false,
    };
    visit_mut::visit_item_impl_mut(&mut literals, item);
    let changed = literals.changed;
    for item in &mut item.items {
        if let ImplItem::Fn(function) = item
            && function.sig.ident == "new"
        {
            limits::inject(function);
        }
    }
    changed
}

/// When code is run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runs {
    /// Perhaps by the compiler, where no limits are put into a worker.
    Const,
    /// In the program.
    Later,
}

impl Runs {
    fn of(is_const: bool) -> Self {
        if is_const { Self::Const } else { Self::Later }
    }
}

struct Literals<'a> {
    worker: &'a Path,
    literal: Option<&'a Ident>,
    /// Not so in items inside of a body.
    self_is_worker: bool,
    /// Whether the worker's name where a value may stand is one, and not a type or a pattern; not so in most macros.
    names_are_values: bool,
    runs: Runs,
    changed: bool,
}

impl Literals<'_> {
    fn is_worker(&self, path: &Path) -> bool {
        (self.self_is_worker && path.is_ident("Self")) || is_same(path, self.worker)
    }

    /// The type of a literal, where the user wrote `path`.
    fn literal(&self, path: &Path) -> Path {
        self.literal.map_or_else(
            || path.clone(),
            |name| Ident::new(&name.to_string(), Span::call_site().located_at(path.span())).into(),
        )
    }

    /// The value of the field, at the user's literal.
    fn limits(&self, path: &Path) -> Expr {
        let span = Span::call_site().located_at(path.span());
        if self.runs == Runs::Const {
            let message = "a worker cannot be made in a `const`: it gets the limits of its pool; use a function that is not const, \
                           or put what is constant into a struct of its own";
            return parse_quote_spanned!(span=> ::core::compile_error!(#message));
        }
        parse_quote_spanned!(span=> ::concurry::__private::constructing())
    }

    fn within(&mut self, is_const: bool, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.runs, Runs::of(is_const));
        visit(self);
        self.runs = outer;
    }
}

impl VisitMut for Literals<'_> {
    fn visit_item_mut(&mut self, item: &mut Item) {
        let outer = std::mem::replace(&mut self.self_is_worker, false);
        let is_const = match item {
            Item::Const(_) | Item::Static(_) => true,
            Item::Fn(function) => function.sig.constness.is_some(),
            _ => false,
        };
        self.within(is_const, |literals| visit_mut::visit_item_mut(literals, item));
        self.self_is_worker = outer;
    }

    fn visit_impl_item_mut(&mut self, item: &mut ImplItem) {
        let is_const = match item {
            ImplItem::Const(_) => true,
            ImplItem::Fn(function) => function.sig.constness.is_some(),
            _ => false,
        };
        self.within(is_const, |literals| visit_mut::visit_impl_item_mut(literals, item));
    }

    fn visit_expr_const_mut(&mut self, block: &mut syn::ExprConst) {
        self.within(true, |literals| visit_mut::visit_expr_const_mut(literals, block));
    }

    fn visit_expr_struct_mut(&mut self, literal: &mut ExprStruct) {
        visit_mut::visit_expr_struct_mut(self, literal);
        let given = literal
            .fields
            .iter()
            .any(|field| matches!(&field.member, syn::Member::Named(name) if name == "limits"));
        let is_whole = literal.rest.is_none() && literal.dot2_token.is_none();
        if self.is_worker(&literal.path) && is_whole && !given {
            if !literal.fields.empty_or_trailing() {
                literal.fields.push_punct(Token![,](Span::call_site()));
            }
            let span = Span::call_site().located_at(literal.path.span());
            let limits = self.limits(&literal.path);
            literal.fields.push_value(parse_quote_spanned!(span=> limits: #limits));
            literal.path = self.literal(&literal.path);
            self.changed = true;
        }
    }

    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        visit_mut::visit_expr_mut(self, expression);
        // A unit struct is made by its name alone.
        if let Expr::Path(ExprPath { qself: None, path, .. }) = expression
            && self.names_are_values
            && self.is_worker(path)
        {
            let span = Span::call_site().located_at(path.span());
            let (path, limits) = (self.literal(path), self.limits(path));
            *expression = parse_quote_spanned!(span=> #path { limits: #limits });
            self.changed = true;
        }
    }

    fn visit_expr_call_mut(&mut self, call: &mut syn::ExprCall) {
        // The function of a call is no value: a tuple struct is an error elsewhere.
        call.args.iter_mut().for_each(|argument| self.visit_expr_mut(argument));
        if !matches!(&*call.func, Expr::Path(_)) {
            self.visit_expr_mut(&mut call.func);
        }
    }

    fn visit_pat_mut(&mut self, pattern: &mut Pat) {
        visit_mut::visit_pat_mut(self, pattern);
        // A unit struct is matched by its name alone.
        let path = match pattern {
            Pat::Path(unit) if unit.qself.is_none() => unit.path.clone(),
            Pat::Ident(unit) if unit.by_ref.is_none() && unit.mutability.is_none() => {
                unit.ident.clone().into()
            }
            _ => return,
        };
        if self.is_worker(&path) {
            *pattern = Pat::Struct(PatStruct {
                attrs: Vec::new(),
                qself: None,
                path,
                brace_token: Brace::default(),
                fields: Punctuated::new(),
                rest: Some(rest()),
            });
            self.changed = true;
        }
    }

    fn visit_pat_struct_mut(&mut self, pattern: &mut PatStruct) {
        visit_mut::visit_pat_struct_mut(self, pattern);
        if self.is_worker(&pattern.path) && pattern.rest.is_none() {
            if !pattern.fields.empty_or_trailing() {
                pattern.fields.push_punct(Token![,](Span::call_site()));
            }
            pattern.rest = Some(rest());
            self.changed = true;
        }
    }

    fn visit_macro_mut(&mut self, call: &mut Macro) {
        macros::rewrite(self, call);
    }
}

/// The `..` of a pattern.
fn rest() -> syn::PatRest {
    syn::PatRest { attrs: Vec::new(), dot2_token: Token![..](Span::call_site()) }
}
