//! The user's own code, with the injected field.
//!
//! The user writes `Self { model }`; the struct has the field `limits` as well. So each literal of the worker in its `impl`
//! block gets that field, and each pattern a `..`. In `new`, code that names `limits` finds the worker's own pool.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::quote;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{
    Expr, ExprPath, ExprStruct, Fields, Ident, ImplItem, ItemImpl, ItemStruct, Macro, PatStruct, Path,
    parse_quote,
};

/// The struct with its field `limits`.
pub(crate) fn inject_field(item: &mut ItemStruct) {
    let fields = match &item.fields {
        Fields::Named(fields) => fields.named.iter().cloned().collect(),
        _ => Vec::new(),
    };
    let given =
        fields.iter().any(|field: &syn::Field| field.ident.as_ref().is_some_and(|ident| ident == "limits"));
    let injected = if given {
        TokenStream::new()
    } else {
        quote! {
            /// The limits of this worker: its own pool over the shared sets.
            limits: ::concurry::LimitPool,
        }
    };
    item.fields = Fields::Named(parse_quote!({ #(#fields,)* #injected }));
    item.semi_token = None;
}

/// The `impl` block with literals and patterns that know of the field.
pub(crate) fn rewrite_impl(item: &mut ItemImpl, worker: &Ident) {
    Literals { worker }.visit_item_impl_mut(item);
    for item in &mut item.items {
        if let ImplItem::Fn(function) = item
            && function.sig.ident == "new"
            && !function.sig.inputs.iter().any(|input| names_limits(input))
            && let Some(span) = use_of_limits(&function.block)
        {
            let name = Ident::new("limits", span);
            function.block.stmts.insert(0, parse_quote!(let #name = ::concurry::__private::constructing();));
        }
    }
}

fn names_limits(input: &syn::FnArg) -> bool {
    matches!(input, syn::FnArg::Typed(input)
        if matches!(&*input.pat, syn::Pat::Ident(pattern) if pattern.ident == "limits"))
}

struct Literals<'a> {
    worker: &'a Ident,
}

impl Literals<'_> {
    fn is_worker(&self, path: &Path) -> bool {
        path.is_ident("Self") || path.is_ident(self.worker)
    }
}

impl VisitMut for Literals<'_> {
    fn visit_expr_struct_mut(&mut self, literal: &mut ExprStruct) {
        visit_mut::visit_expr_struct_mut(self, literal);
        let given = literal
            .fields
            .iter()
            .any(|field| matches!(&field.member, syn::Member::Named(name) if name == "limits"));
        if self.is_worker(&literal.path) && literal.rest.is_none() && !given {
            if !literal.fields.empty_or_trailing() {
                literal.fields.push_punct(Default::default());
            }
            literal.fields.push_value(parse_quote!(limits: ::concurry::__private::constructing()));
        }
    }

    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        visit_mut::visit_expr_mut(self, expression);
        // A unit struct is made by its name alone.
        if let Expr::Path(ExprPath { qself: None, path, .. }) = expression
            && self.is_worker(path)
        {
            *expression = parse_quote!(#path { limits: ::concurry::__private::constructing() });
        }
    }

    fn visit_expr_call_mut(&mut self, call: &mut syn::ExprCall) {
        // The function of a call is no value: a tuple struct is an error elsewhere.
        call.args.iter_mut().for_each(|argument| self.visit_expr_mut(argument));
        if !matches!(&*call.func, Expr::Path(_)) {
            self.visit_expr_mut(&mut call.func);
        }
    }

    fn visit_pat_struct_mut(&mut self, pattern: &mut PatStruct) {
        visit_mut::visit_pat_struct_mut(self, pattern);
        if self.is_worker(&pattern.path) && pattern.rest.is_none() {
            if !pattern.fields.empty_or_trailing() {
                pattern.fields.push_punct(Default::default());
            }
            pattern.rest = Some(syn::PatRest { attrs: Vec::new(), dot2_token: Default::default() });
        }
    }
}

/// Where a body names `limits` as a value, if it does; macros are looked into token by token.
fn use_of_limits(block: &syn::Block) -> Option<Span> {
    struct Find(Option<Span>);
    impl<'ast> Visit<'ast> for Find {
        fn visit_expr_path(&mut self, path: &'ast ExprPath) {
            if path.path.is_ident("limits") {
                self.0 = path.path.get_ident().map(Ident::span);
            }
            visit::visit_expr_path(self, path);
        }

        fn visit_macro(&mut self, call: &'ast Macro) {
            self.0 = self.0.or_else(|| find_token(call.tokens.clone()));
        }
    }
    let mut find = Find(None);
    find.visit_block(block);
    find.0
}

fn find_token(tokens: TokenStream) -> Option<Span> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == "limits" => Some(ident.span()),
        TokenTree::Group(group) => find_token(group.stream()),
        _ => None,
    })
}
