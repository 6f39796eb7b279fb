//! How a message travels: its encoding and decoding, where the types allow it.

use std::slice;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{GenericArgument, Ident, PathArguments, Type, TypePath};

use super::dispatch::{future_fn, plain_result};
use super::{at, checks, limited};
use crate::model::{Method, Returns, WorkerImpl, bare, has_reference, may_borrow};

/// How the place of a result begins.
const RETURNED: &str = "returned by";

/// Which types are not asked whether they travel.
type Borrows = fn(&Type) -> bool;

/// The functions of the trait that encode and decode, and those that tell what the types can do. Where all `must_travel`, a
/// lifetime is the user's word that the type does not borrow, which the compiler checks; elsewhere such a type stays in its
/// process.
pub(super) fn expand(model: &WorkerImpl, must_travel: bool) -> TokenStream {
    let borrows: Borrows = if must_travel { has_reference } else { may_borrow };
    let (probes, message) = (probes(model, borrows), model.message());
    let numbered = || model.methods.iter().zip(0u16..);
    let encode = numbered().map(|(method, number)| encode_arm(&message, method, number, borrows));
    let complete = model.methods.iter().map(|method| complete_arm(&message, method, borrows));
    let serve = numbered().filter_map(|(method, number)| serve_arm(model, method, number, borrows));
    let decode = numbered().map(|(method, number)| decode_arm(&message, method, number, borrows));
    let args = &model.constructor.args;
    let uses = uses(args, borrows);
    emit! {
        #probes

        fn encode_args(args: &Self::Args) -> ::core::result::Result<::std::vec::Vec<u8>, ::concurry::__private::NotSent> {
            #uses
            (&::concurry::__private::Probe::<(#(#args,)*)>::NEW).__encode("the arguments of `new`", args)
        }

        fn decode_args(bytes: &[u8]) -> ::core::result::Result<Self::Args, ::concurry::__private::NotSent> {
            #uses
            (&::concurry::__private::Probe::<(#(#args,)*)>::NEW).__decode("the arguments of `new`", bytes)
        }

        fn encode(message: &#message) -> ::core::option::Option<::concurry::__private::Encoded> {
            match *message { #(#encode),* }
        }

        fn complete(
            message: #message,
            answer: &::concurry::__private::Answered<'_>,
        ) -> ::concurry::__private::Ran {
            let _ = answer;
            match message { #(#complete),* }
        }

        fn serve(
            &mut self,
            method: u16,
            bytes: &[u8],
        ) -> ::core::option::Option<(::concurry::__private::Finished, ::concurry::__private::Ran)> {
            let _ = bytes;
            match method {
                #(#serve)*
                _ => ::core::option::Option::None,
            }
        }

        fn decode(
            method: u16,
            bytes: &[u8],
        ) -> ::core::result::Result<
            (#message, ::std::boxed::Box<dyn ::concurry::__private::Answer>),
            ::concurry::__private::NotSent,
        > {
            let _ = bytes;
            match method {
                #(#decode)*
                _ => ::core::result::Result::Err(::concurry::__private::no_method(method)),
            }
        }
    }
}

/// The arm of `encode` for one method.
fn encode_arm(message: &Ident, method: &Method, number: u16, borrows: Borrows) -> TokenStream {
    let Method { name, types, .. } = method;
    let (cfgs, what, uses) = (method.cfgs(), arguments_of(method), uses(types, borrows));
    emit! {
        #(#cfgs)*
        #message::#name { ref args, ref promise, .. } => ::concurry::__private::Encoded::of(#number, promise, || {
            #uses
            (&::concurry::__private::Probe::<(#(#types,)*)>::NEW).__encode(#what, args)
        })
    }
}

/// The arm of `complete` for one method.
fn complete_arm(message: &Ident, method: &Method, borrows: Borrows) -> TokenStream {
    let Method { name, .. } = method;
    let (cfgs, text) = (method.cfgs(), method.text());
    let (uses_answers, whole) = answers(method, borrows);
    emit! {
        #(#cfgs)*
        #message::#name { args, promise, .. } => {
            ::concurry::__private::discard(args);
            #uses_answers
            (&::concurry::__private::Probe::<#whole>::NEW).__complete(#text, promise, answer)
        }
    }
}

/// The arm of `serve` for a method that needs nothing but its worker.
fn serve_arm(model: &WorkerImpl, method: &Method, number: u16, borrows: Borrows) -> Option<TokenStream> {
    let Method { names, types, .. } = method;
    let result = plain_result(model, method, &emit!(self))?;
    let (cfgs, what, text) = (method.cfgs(), arguments_of(method), method.text());
    let (uses, (uses_answers, whole)) = (uses(types, borrows), answers(method, borrows));
    let (ok, err) = checks::call_types(&method.returns);
    Some(emit! {
        #(#cfgs)*
        #number => {
            #uses
            #uses_answers
            let args = match (&::concurry::__private::Probe::<(#(#types,)*)>::NEW).__decode(#what, bytes) {
                ::core::result::Result::Ok(args) => args,
                ::core::result::Result::Err(error) => {
                    return ::core::option::Option::Some(::concurry::__private::not_decoded(&error));
                }
            };
            let ended = ::concurry::__private::catch(move || -> ::core::result::Result<#ok, #err> {
                let (#(#names,)*) = args;
                #result
            });
            ::core::option::Option::Some((&::concurry::__private::Probe::<#whole>::NEW).__finish(#text, ended))
        }
    })
}

/// The arm of `decode` for one method.
fn decode_arm(message: &Ident, method: &Method, number: u16, borrows: Borrows) -> TokenStream {
    let Method { name, types, .. } = method;
    let (cfgs, what, text) = (method.cfgs(), arguments_of(method), method.text());
    let (uses, (uses_answers, whole)) = (uses(types, borrows), answers(method, borrows));
    let absent = limited::absent(method);
    emit! {
        #(#cfgs)*
        #number => {
            #uses
            #uses_answers
            let args = (&::concurry::__private::Probe::<(#(#types,)*)>::NEW).__decode(#what, bytes)?;
            let (promise, call) = ::concurry::__private::channel();
            let answer = (&::concurry::__private::Probe::<#whole>::NEW)
                .__answer(#text, call)
                .ok_or_else(|| ::concurry::__private::no_answer(#text))?;
            ::core::result::Result::Ok((#message::#name { args, promise, #absent }, answer))
        }
    }
}

fn arguments_of(method: &Method) -> String {
    format!("the arguments of `{}`", method.text())
}

/// The traits that are asked whether these types travel.
fn uses(types: &[Type], borrows: Borrows) -> TokenStream {
    if types.iter().any(borrows) {
        emit! { use ::concurry::__private::Stays as _; }
    } else {
        emit! { use ::concurry::__private::{Stays as _, Travels as _}; }
    }
}

/// The traits that make both ends of an answer, and the type that they are asked about.
fn answers(method: &Method, borrows: Borrows) -> (TokenStream, TokenStream) {
    let whole = match &method.returns {
        Returns::Plain(ty) => quote!(#ty),
        Returns::Result { ok, err } => quote!(::core::result::Result<#ok, #err>),
        Returns::Asked(ty) => {
            let returned = checks::returned(ty);
            quote!(<#returned>::Whole)
        }
    };
    let uses = match method.returns {
        _ if method.returns.parts().into_iter().any(borrows) => emit!(NoAnswers as _),
        Returns::Plain(_) => emit!(NoAnswers as _, PlainAnswers as _),
        Returns::Result { .. } => emit!(IoAnswers as _, NoAnswers as _, ResultAnswers as _),
        Returns::Asked(_) => emit!(IoAnswers as _, NoAnswers as _, ResultAnswers as _, ValueAnswers as _),
    };
    let uses = emit! { use ::concurry::__private::{#uses}; };
    (uses, whole)
}

/// What the worker's types can do.
fn probes(model: &WorkerImpl, borrows: Borrows) -> TokenStream {
    let worker = &model.worker;
    let (argument, result) =
        (|name: &str| format!("of `{name}`"), |name: &str| format!("{RETURNED} `{name}`"));
    let constructor = model
        .constructor
        .args
        .iter()
        .map(|ty| travels(ty, &argument("new"), borrows))
        .collect::<TokenStream>();
    let methods = model.methods.iter().map(|method| {
        let (name, cfgs) = (method.text(), method.cfgs());
        let arguments = method.types.iter().map(|ty| travels(ty, &argument(&name), borrows));
        let results = method.returns.parts().into_iter().map(|ty| travels(ty, &result(&name), borrows));
        emit!(#(#cfgs)* { #(#arguments)* #(#results)* })
    });
    let futures = model.methods.iter().filter(|method| method.is_async).map(|method| {
        let (function, name, cfgs) = (future_fn(&method.name), method.text(), method.cfgs());
        emit! {
            #(#cfgs)*
            if !(&::concurry::__private::future_of(#function)).__is_sendable() {
                unsendable.push(#name);
            }
        }
    });
    emit! {
        fn sync_start() -> ::core::option::Option<::concurry::__private::Start<Self>> {
            use ::concurry::__private::{NeverSync as _, StartsSync as _};
            (&::concurry::__private::Probe::<#worker>::NEW).__sync_start()
        }

        fn async_start() -> ::core::option::Option<::concurry::__private::Start<Self>> {
            use ::concurry::__private::{NeverAsync as _, StartsAsync as _};
            (&::concurry::__private::Probe::<#worker>::NEW).__async_start()
        }

        fn unsendable_futures() -> ::std::vec::Vec<&'static str> {
            use ::concurry::__private::{SendableFuture as _, UnsendableFuture as _};
            #[allow(unused_mut)]
            let mut unsendable = ::std::vec::Vec::new();
            #(#futures)*
            unsendable
        }

        fn unable_to_travel() -> ::std::vec::Vec<::std::string::String> {
            #[allow(unused_mut)]
            let mut unable = ::std::vec::Vec::new();
            #constructor
            #(#methods)*
            unable
        }
    }
}

fn travels(ty: &Type, place: &str, borrows: Borrows) -> TokenStream {
    let uses = uses(slice::from_ref(ty), borrows);
    let as_io = if place.starts_with(RETURNED) {
        emit!(
            use ::concurry::__private::TravelsAsIo as _;
        )
    } else {
        emit!()
    };
    emit! {
        {
            #uses
            #as_io
            if !(&::concurry::__private::Probe::<#ty>::NEW).__travels() {
                unable.push(::std::format!("type `{}` {}", ::core::any::type_name::<#ty>(), #place));
            }
        }
    }
}

/// For `#[worker(process)]`: an error at each type that cannot travel.
pub(super) fn must_travel(model: &WorkerImpl) -> TokenStream {
    let check = |ty: &Type| {
        if has_reference(ty) {
            let error = syn::Error::new_spanned(
                ty,
                "a reference cannot travel between processes, not even a `'static` one: \
                 use an owned type, or a Cow<'static, …>",
            );
            return error.into_compile_error();
        }
        let travelling = without_io(ty).map(|ty| quote_spanned!(at(ty)=> must_travel::<#ty>();));
        travelling.unwrap_or_default()
    };
    let arguments = model.constructor.args.iter().map(check);
    let methods = model.methods.iter().map(|method| {
        let (types, cfgs) = (method.types.iter().chain(method.returns.parts()), method.cfgs());
        let checks = types.map(check);
        emit!(#(#cfgs)* { #(#checks)* })
    });
    emit! {
        #[allow(dead_code)]
        fn __all_must_travel() {
            fn must_travel<T: ::concurry::__private::Travel>() {}
            #(#arguments)*
            #(#methods)*
        }
    }
}

/// What of a type serde must know: of `io::Result<T>` the `T`, and nothing of `io::Error`, which travels without.
fn without_io(ty: &Type) -> Option<&Type> {
    let Type::Path(TypePath { qself: None, path, .. }) = bare(ty) else { return Some(ty) };
    let mut backwards = path.segments.iter().rev();
    let (Some(last), Some(before)) = (backwards.next(), backwards.next()) else { return Some(ty) };
    match &last.arguments {
        PathArguments::None if before.ident == "io" && last.ident == "Error" => None,
        PathArguments::AngleBracketed(arguments) if before.ident == "io" && last.ident == "Result" => {
            match arguments.args.first() {
                Some(GenericArgument::Type(part)) if arguments.args.len() == 1 => Some(part),
                _ => Some(ty),
            }
        }
        _ => Some(ty),
    }
}
