//! The handle's methods: each makes a call and submits it.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};

use super::{checks, dispatch, retry};
use crate::model::{Method, Returns, Stub, WorkerImpl};

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
        let Returns::Alias(ty) = returns else { return emit!(#real { #body }) };
        // The check of an alias is nothing to read in the documentation.
        let (ok, err) = checks::taken_apart(&quote!(#ty));
        let documented = signature(ok, err);
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
