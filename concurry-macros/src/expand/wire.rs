//! How a message travels: its encoding and decoding, where the types allow it.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

use super::dispatch::{cfgs, future_fn};
use crate::model::{Method, Returns, WorkerImpl};

/// The functions of the trait that encode and decode, and those that tell what the types can do.
pub(super) fn expand(model: &WorkerImpl) -> TokenStream {
    let probes = probes(model);
    let encode = model.methods.iter().zip(0u16..).map(|(method, number)| {
        let Method { name, types, .. } = method;
        let (cfgs, what, text) = (cfgs(method), arguments_of(method), name.to_string());
        let (uses, whole) = answers(method);
        quote! {
            #(#cfgs)*
            Message::#name { args, promise } => ::concurry::__private::Outbound::new(
                #number,
                promise,
                move || (&::concurry::__private::Probe::<(#(#types,)*)>::NEW).encode(#what, &args),
                |promise| { #uses (&::concurry::__private::Probe::<#whole>::NEW).reply(#text, promise) },
            )
        }
    });
    let decode = model.methods.iter().zip(0u16..).map(|(method, number)| {
        let Method { name, types, .. } = method;
        let (cfgs, what, text) = (cfgs(method), arguments_of(method), name.to_string());
        let (uses, whole) = answers(method);
        quote! {
            #(#cfgs)*
            #number => {
                #uses
                let args = (&::concurry::__private::Probe::<(#(#types,)*)>::NEW).decode(#what, bytes)?;
                let (promise, call) = ::concurry::__private::channel();
                let answer = (&::concurry::__private::Probe::<#whole>::NEW)
                    .answer(#text, call)
                    .ok_or_else(|| ::concurry::__private::no_answer(#text))?;
                ::core::result::Result::Ok((Message::#name { args, promise }, answer))
            }
        }
    });
    let args = &model.constructor.args;
    quote! {
        #probes

        fn encode_args(args: &Self::Args) -> ::core::result::Result<::std::vec::Vec<u8>, ::concurry::__private::NotSent> {
            use ::concurry::__private::{Stays as _, Travels as _};
            (&::concurry::__private::Probe::<(#(#args,)*)>::NEW).encode("the arguments of `new`", args)
        }

        fn decode_args(bytes: &[u8]) -> ::core::result::Result<Self::Args, ::concurry::__private::NotSent> {
            use ::concurry::__private::{Stays as _, Travels as _};
            (&::concurry::__private::Probe::<(#(#args,)*)>::NEW).decode("the arguments of `new`", bytes)
        }

        fn encode(message: Message) -> ::core::option::Option<::concurry::__private::Outbound> {
            use ::concurry::__private::{Stays as _, Travels as _};
            match message { #(#encode),* }
        }

        fn decode(
            method: u16,
            bytes: &[u8],
        ) -> ::core::result::Result<
            (Message, ::std::boxed::Box<dyn ::concurry::__private::Answer>),
            ::concurry::__private::NotSent,
        > {
            use ::concurry::__private::{Stays as _, Travels as _};
            let _ = bytes;
            match method {
                #(#decode)*
                _ => ::core::result::Result::Err(::concurry::__private::no_method(method)),
            }
        }
    }
}

fn arguments_of(method: &Method) -> String {
    format!("the arguments of `{}`", method.name)
}

/// The traits that make both ends of an answer, and the type that they are asked about.
fn answers(method: &Method) -> (TokenStream, TokenStream) {
    let whole = method.returns.whole();
    let uses = match method.returns {
        Returns::Plain(_) => quote!(
            use ::concurry::__private::{NoAnswers as _, PlainAnswers as _};
        ),
        _ => quote!(
            use ::concurry::__private::{NoAnswers as _, ResultAnswers as _};
        ),
    };
    (uses, whole)
}

/// What the worker's types can do.
fn probes(model: &WorkerImpl) -> TokenStream {
    let worker = &model.worker;
    let (argument, result) =
        (|name: &str| format!("of `{name}`"), |name: &str| format!("returned by `{name}`"));
    let constructor = model
        .constructor
        .args
        .iter()
        .map(|ty| travels(&ty.to_token_stream(), &argument("new")))
        .collect::<TokenStream>();
    let methods = model.methods.iter().map(|method| {
        let (name, cfgs) = (method.name.to_string(), cfgs(method));
        let arguments = method.types.iter().map(|ty| travels(&ty.to_token_stream(), &argument(&name)));
        let results = method.returns.parts().into_iter().map(|ty| travels(&ty, &result(&name)));
        quote!(#(#cfgs)* { #(#arguments)* #(#results)* })
    });
    let futures = model.methods.iter().filter(|method| method.is_async).map(|method| {
        let (function, name, cfgs) = (future_fn(&method.name), method.name.to_string(), cfgs(method));
        quote! {
            #(#cfgs)*
            if !(&::concurry::__private::future_of(#function)).is_sendable() {
                unsendable.push(#name);
            }
        }
    });
    quote! {
        fn sync_start() -> ::core::option::Option<::concurry::__private::Start<Self>> {
            use ::concurry::__private::{NeverSync as _, StartsSync as _};
            (&::concurry::__private::Probe::<#worker>::NEW).sync_start()
        }

        fn async_start() -> ::core::option::Option<::concurry::__private::Start<Self>> {
            use ::concurry::__private::{NeverAsync as _, StartsAsync as _};
            (&::concurry::__private::Probe::<#worker>::NEW).async_start()
        }

        fn unsendable_futures() -> ::std::vec::Vec<&'static str> {
            use ::concurry::__private::{SendableFuture as _, UnsendableFuture as _};
            #[allow(unused_mut)]
            let mut unsendable = ::std::vec::Vec::new();
            #(#futures)*
            unsendable
        }

        fn unable_to_travel() -> ::std::vec::Vec<::std::string::String> {
            use ::concurry::__private::{Stays as _, Travels as _};
            #[allow(unused_mut)]
            let mut unable = ::std::vec::Vec::new();
            #constructor
            #(#methods)*
            unable
        }
    }
}

fn travels(ty: &TokenStream, place: &str) -> TokenStream {
    quote! {
        if !(&::concurry::__private::Probe::<#ty>::NEW).travels() {
            unable.push(::std::format!("type `{}` {}", ::core::any::type_name::<#ty>(), #place));
        }
    }
}

/// For `#[worker(process)]`: an error at each type that cannot travel.
pub(super) fn must_travel(model: &WorkerImpl) -> TokenStream {
    let arguments = model.constructor.args.iter().map(ToTokens::to_token_stream);
    let methods = model.methods.iter().flat_map(|method| {
        let types = method.types.iter().map(ToTokens::to_token_stream);
        types.chain(method.returns.parts()).collect::<Vec<_>>()
    });
    let checks = arguments.chain(methods).map(|ty| quote_spanned!(ty.span()=> must_travel::<#ty>();));
    quote! {
        #[allow(dead_code)]
        fn all_must_travel() {
            fn must_travel<T: ::concurry::__private::Travel>() {}
            #(#checks)*
        }
    }
}
