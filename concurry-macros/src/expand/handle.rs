//! The handle's methods: each makes a call and submits it.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Type, TypePath};

use super::{checks, dispatch, retry};
use crate::model::{Method, Returns, Stub, WorkerImpl, bare};

pub(super) fn expand(model: &WorkerImpl) -> TokenStream {
    let (handle, lints) = (model.handle(), model.lints());
    let methods = model.methods.iter().zip(0u16..).map(|(method, number)| {
        let Method { name, visibility, attributes, names, types, returns, .. } = method;
        let (ok, err) = checks::call_types(returns);
        let signature = |ok, err| {
            emit! {
                #(#attributes)*
                #visibility fn #name(&self #(, #names: #types)*) -> ::concurry::Call<#ok, #err>
            }
        };
        let real = signature(ok, err);
        let submit = retry::submit(model, method, number);
        let here = dispatch::call_here(model, method, number);
        let body = emit! {
            #here
            let (promise, call) = ::concurry::PoolHandle::channel(<#handle>::__pool(self));
            #submit
            call
        };
        let Returns::Asked(ty) = returns else { return emit!(#real { #body }) };
        if is_named_result(ty) {
            return emit!(#real { #body });
        }
        // The question is nothing to read in the documentation, and its answer almost always this one.
        let documented = signature(quote!(#ty), quote!(::core::convert::Infallible));
        emit! {
            #[cfg(not(doc))]
            #real { #body }
            #[cfg(doc)]
            #documented { ::core::unreachable!() }
        }
    });
    let stubs = model.stubs.iter().map(|stub| {
        let Stub { name, visibility, attributes, arity, mistake } = stub;
        let types: Vec<_> = (0..*arity).map(|index| format_ident!("T{index}")).collect();
        let names = (0..*arity).map(|index| format_ident!("argument_{index}", span = Span::mixed_site()));
        emit! {
            #(#attributes)*
            #[allow(unused_variables)]
            #visibility fn #name<#(#types),*>(&self #(, #names: #types)*) -> #mistake {
                ::core::unreachable!()
            }
        }
    });
    emit! {
        #[allow(dead_code, clippy::let_unit_value, clippy::too_many_arguments, clippy::unit_arg, clippy::used_underscore_binding)]
        #(#lints)*
        impl #handle {
            #(#methods)*
            #(#stubs)*
        }
    }
}

/// Whether a type is most likely a result.
fn is_named_result(ty: &Type) -> bool {
    matches!(bare(ty), Type::Path(TypePath { path, .. })
        if path.segments.last().is_some_and(|last| last.ident.to_string().ends_with("Result")))
}
