//! `limits` in the body of `new`: the worker's own pool.
//!
//! Where the body names it as a value, and no parameter has that name, it is made a variable.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{
    Block, Expr, ExprCall, ExprPath, FnArg, Ident, ImplItemFn, Item, Macro, PatIdent, Signature, Stmt,
    parse_quote,
};

/// The variable at the beginning of `function`, if its body wants it.
pub(super) fn inject(function: &mut ImplItemFn) {
    if is_parameter(&function.sig) {
        return;
    }
    let Some(span) = use_of_limits(&function.block) else { return };
    let name = Ident::new("limits", span);
    let variable = parse_quote! {
        #[allow(unused_variables)]
        let #name = ::concurry::__private::constructing();
    };
    // After the items, where a statement stands; but a macro of theirs sees only what is above it.
    let wants_it =
        |item: &Item| matches!(item, Item::Macro(item) if find_token(item.mac.tokens.clone()).is_some());
    let is_item = |statement: &Stmt| matches!(statement, Stmt::Item(item) if !wants_it(item));
    let place = function.block.stmts.iter().take_while(|statement| is_item(statement)).count();
    function.block.stmts.insert(place, variable);
}

/// Whether a parameter, or a part of one, has the name.
fn is_parameter(signature: &Signature) -> bool {
    struct Find(bool);
    impl<'ast> Visit<'ast> for Find {
        fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
            self.0 |= pattern.ident == "limits";
            visit::visit_pat_ident(self, pattern);
        }
    }
    let mut find = Find(false);
    for input in &signature.inputs {
        if let FnArg::Typed(input) = input {
            find.visit_pat(&input.pat);
        }
    }
    find.0
}

/// Where a body names `limits` as a value, if it does; macros are looked into token by token.
fn use_of_limits(block: &Block) -> Option<Span> {
    struct Find(Option<Span>);
    impl<'ast> Visit<'ast> for Find {
        fn visit_expr_call(&mut self, call: &'ast ExprCall) {
            // What is called is a function of the user's.
            if !matches!(&*call.func, Expr::Path(function) if function.path.is_ident("limits")) {
                self.visit_expr(&call.func);
            }
            call.args.iter().for_each(|argument| self.visit_expr(argument));
        }

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

/// Also in the text of a format string: `"{limits:?}"`.
fn find_token(tokens: TokenStream) -> Option<Span> {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is_called = matches!(tokens.peek(), Some(TokenTree::Group(group))
            if group.delimiter() == Delimiter::Parenthesis);
        let found = match token {
            TokenTree::Ident(ident) if ident == "limits" && !is_called => Some(ident.span()),
            TokenTree::Literal(text) if text.to_string().contains("{limits") => Some(text.span()),
            TokenTree::Group(group) => find_token(group.stream()),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}
