//! The handle's methods: each makes a call and submits it.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::model::WorkerImpl;

pub(super) fn expand(model: &WorkerImpl) -> TokenStream {
    let handle = format_ident!("{}Handle", model.worker);
    let methods = model.methods.iter().map(|method| {
        let crate::model::Method { name, visibility, attributes, names, types, .. } = method;
        let (ok, err) = method.returns.call_types();
        quote! {
            #(#attributes)*
            #visibility fn #name(&self #(, #names: #types)*) -> ::concurry::Call<#ok, #err> {
                let (promise, call) = ::concurry::__private::channel();
                self.submit(Message::#name { args: (#(#names,)*), promise });
                call
            }
        }
    });
    quote! {
        #[allow(clippy::too_many_arguments)]
        impl #handle {
            #(#methods)*
        }
    }
}
