//! Admission before dispatch: what a call with `#[limited(…)]` carries, and how its method comes by what was acquired.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::Ident;
use syn::ext::IdentExt;

use super::at;
use crate::model::{Injected, Method, WorkerImpl};

/// The field of a message.
pub(super) fn field(method: &Method) -> Option<TokenStream> {
    method.limited.as_ref().map(|_| emit!(admission: ::concurry::__private::Admission))
}

/// The name of the function that finds out what a call needs.
pub(super) fn amounts_fn(name: &Ident) -> Ident {
    format_ident!("__amounts_of_{}", name.unraw())
}

/// For each method with `#[limited]`, what a call with these arguments needs. They stand in an `impl` block of the worker, where
/// the amounts' `Self` is the worker.
pub(super) fn amounts_fns(model: &WorkerImpl) -> TokenStream {
    let functions = model.methods.iter().filter_map(|method| {
        let Method { name, names, types, .. } = method;
        let amounts = method.limited.as_ref()?.amounts.iter().map(|(key, amount)| {
            // At the user's expression, so that an error of its type shows there.
            let amount = quote_spanned!(at(amount)=> ::core::convert::identity::<u64>(#amount));
            quote!((#key, #amount))
        });
        let (function, cfgs, lints) = (amounts_fn(name), method.cfgs(), method.lints());
        Some(emit! {
            #(#cfgs)*
            #(#lints)*
            #[allow(private_interfaces, clippy::missing_const_for_fn, clippy::used_underscore_binding)]
            fn #function(args: (#(#types,)*)) -> ((#(#types,)*), ::concurry::__private::Admission) {
                let (#(#names,)*) = args;
                let admission = ::concurry::__private::Admission::of(::std::vec![#(#amounts),*]);
                ((#(#names,)*), admission)
            }
        })
    });
    emit!(#(#functions)*)
}

/// The field of a call that comes from elsewhere: what was granted to it is put in later.
pub(super) fn absent(method: &Method) -> Option<TokenStream> {
    method.limited.as_ref().map(|_| emit!(admission: ::core::default::Default::default()))
}

/// What a method is called with: its arguments, and what it is given beside them, at its place.
pub(super) fn arguments(method: &Method) -> Vec<TokenStream> {
    let mut arguments: Vec<_> = method.names.iter().map(|name| quote!(#name)).collect();
    for (earlier, (place, injected)) in method.injected.iter().enumerate() {
        let value = match injected {
            Injected::Acquired => emit!(acquired),
            Injected::Cancellation => emit!(&cancellation),
        };
        arguments.insert(place + earlier, value);
    }
    arguments
}

/// What is known of a message without running it.
pub(super) fn message(model: &WorkerImpl) -> TokenStream {
    let message = model.message();
    let limited = model.methods.iter().zip(0u16..).filter(|(method, _)| method.limited.is_some());
    let arms = limited.map(|(method, number)| {
        let (name, cfgs) = (&method.name, method.cfgs());
        emit! {
            #(#cfgs)*
            #message::#name { admission, .. } => ::core::option::Option::Some((#number, admission)),
        }
    });
    let promises = model.methods.iter().map(|method| {
        let (name, cfgs) = (&method.name, method.cfgs());
        emit! { #(#cfgs)* #message::#name { ref promise, .. } => promise.awaited_by(waker), }
    });
    let methods = model.methods.iter().map(|method| {
        let (name, cfgs, text) = (&method.name, method.cfgs(), method.text());
        emit!(#(#cfgs)* #message::#name { .. } => #text,)
    });
    let calls = model.methods.iter().map(|method| {
        let (name, cfgs) = (&method.name, method.cfgs());
        emit!(#(#cfgs)* #message::#name { ref promise, .. } => promise.id(),)
    });
    let wanted = model.methods.iter().map(|method| {
        let (name, cfgs) = (&method.name, method.cfgs());
        emit!(#(#cfgs)* #message::#name { ref promise, .. } => promise.is_open(),)
    });
    emit! {
        impl ::concurry::__private::Message for #message {
            fn awaited_by(&self, waker: &::core::task::Waker) -> ::concurry::__private::Awaited {
                let _ = waker;
                match *self { #(#promises)* }
            }

            fn is_wanted(&self) -> bool {
                match *self { #(#wanted)* }
            }

            fn method(&self) -> &'static str {
                match *self { #(#methods)* }
            }

            fn call(&self) -> usize {
                match *self { #(#calls)* }
            }

            fn admission(&mut self) -> ::core::option::Option<(u16, &mut ::concurry::__private::Admission)> {
                match self {
                    #(#arms)*
                    #[allow(unreachable_patterns)]
                    _ => ::core::option::Option::None,
                }
            }
        }
    }
}
