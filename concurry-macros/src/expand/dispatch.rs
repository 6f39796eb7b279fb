//! The message, and how it is run.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Ident;

use crate::model::{Method, Returns, WorkerImpl};

/// The enum of calls: one variant a method.
pub(super) fn message(model: &WorkerImpl) -> TokenStream {
    let variants = model.methods.iter().map(|method| {
        let Method { name, types, .. } = method;
        let (ok, err) = method.returns.call_types();
        let cfgs = cfgs(method);
        quote!(#(#cfgs)* #name { args: (#(#types,)*), promise: ::concurry::__private::Promise<#ok, #err> })
    });
    quote! {
        #[allow(non_camel_case_types, private_interfaces, clippy::large_enum_variant)]
        pub enum Message {
            #(#variants),*
        }
    }
}

/// What `#[cfg]` says of a method holds for all that is made of it.
pub(super) fn cfgs(method: &Method) -> Vec<&syn::Attribute> {
    method.attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).collect()
}

/// The functions of the trait that run a message.
pub(super) fn runners(model: &WorkerImpl) -> TokenStream {
    let worker = &model.worker;
    let access = model.methods.iter().map(|method| {
        let Method { name, is_exclusive, is_async, .. } = method;
        let cfgs = cfgs(method);
        quote! {
            #(#cfgs)*
            Message::#name { .. } => ::concurry::__private::Access { exclusive: #is_exclusive, is_async: #is_async }
        }
    });
    let run = arms(model, |_| true, |method| run_here(method, worker));
    let run_shared =
        arms(model, |method| !method.is_exclusive && !method.is_async, |method| run_here(method, worker));
    let start = |exclusive: bool| {
        arms(
            model,
            |method| method.is_async && method.is_exclusive == exclusive,
            |method| {
                let future = future_fn(&method.name);
                quote! {
                    (&::concurry::__private::Started::new(#future(worker, args), promise)).take_job()
                }
            },
        )
    };
    let (start_shared, start_exclusive) = (start(false), start(true));
    let refuse =
        arms(model, |_| true, |_| quote! { { drop(args); ::concurry::__private::refuse(promise, error) } });
    let wrong = quote!({
        drop(other);
        ::concurry::__private::wrong_kind()
    });
    let none = quote!({
        drop(other);
        ::core::option::Option::None
    });
    let shared = or_else(model, |method| !method.is_exclusive && !method.is_async, &wrong);
    let async_shared = or_else(model, |method| method.is_async && !method.is_exclusive, &none);
    let async_exclusive = or_else(model, |method| method.is_async && method.is_exclusive, &none);
    quote! {
        fn access(message: &Message) -> ::concurry::__private::Access {
            match *message { #(#access),* }
        }

        fn run(&mut self, message: Message) -> ::concurry::__private::Ran {
            match message { #run }
        }

        fn run_shared(&self, message: Message) -> ::concurry::__private::Ran {
            match message { #run_shared #shared }
        }

        fn start_shared(
            worker: ::concurry::__private::SharedGuard<Self>,
            message: Message,
        ) -> ::core::option::Option<::concurry::__private::Job> {
            use ::concurry::__private::{IntoJob as _, NoJob as _};
            let _ = &worker;
            match message { #start_shared #async_shared }
        }

        fn start_exclusive(
            worker: ::concurry::__private::ExclusiveGuard<Self>,
            message: Message,
        ) -> ::core::option::Option<::concurry::__private::Job> {
            use ::concurry::__private::{IntoJob as _, NoJob as _};
            let _ = &worker;
            match message { #start_exclusive #async_exclusive }
        }

        fn refuse(message: Message, error: ::concurry::__private::CallError) {
            let _ = &error;
            match message { #refuse }
        }
    }
}

/// One arm for each method that `chosen` chooses.
fn arms(
    model: &WorkerImpl,
    chosen: impl Fn(&Method) -> bool,
    body: impl Fn(&Method) -> TokenStream,
) -> TokenStream {
    let arms = model.methods.iter().filter(|method| chosen(method)).map(|method| {
        let (name, cfgs, body) = (&method.name, cfgs(method), body(method));
        quote!(#(#cfgs)* Message::#name { args, promise } => #body,)
    });
    quote!(#(#arms)*)
}

/// The arm for the methods that were not chosen; none when all were.
fn or_else(model: &WorkerImpl, chosen: impl Fn(&Method) -> bool, body: &TokenStream) -> TokenStream {
    if model.methods.iter().all(chosen) {
        TokenStream::new()
    } else {
        quote!(#[allow(unreachable_patterns)] other => #body)
    }
}

/// Runs a method to its end on this thread.
fn run_here(method: &Method, worker: &Ident) -> TokenStream {
    let Method { name, names, .. } = method;
    let call = quote!(#worker::#name(self #(, #names)*));
    let call = if method.is_async { quote!(::concurry::__private::block_on(#call)) } else { call };
    let result = as_result(&method.returns, &call);
    quote! {
        ::concurry::__private::run(promise, move || {
            let (#(#names,)*) = args;
            #result
        })
    }
}

/// A method's value as a result, whatever it returns.
fn as_result(returns: &Returns, value: &TokenStream) -> TokenStream {
    match returns {
        Returns::Plain(_) => quote!(::core::result::Result::Ok(#value)),
        Returns::Result { .. } => value.clone(),
        Returns::Alias(_) => quote!(::concurry::__private::MethodResult::into_result(#value)),
    }
}

/// The name of the function that makes the future of an async method.
pub(super) fn future_fn(name: &Ident) -> Ident {
    format_ident!("__future_of_{name}")
}

/// For each async method a function whose future owns the guard of its worker. Being functions of their own, their futures
/// have a known type elsewhere, so that it can be asked whether they can be sent.
pub(super) fn future_fns(model: &WorkerImpl) -> TokenStream {
    let worker = &model.worker;
    let functions = model.methods.iter().filter(|method| method.is_async).map(|method| {
        let Method { name, names, types, .. } = method;
        let (function, cfgs) = (future_fn(name), cfgs(method));
        let (ok, err) = method.returns.call_types();
        let (guard, borrow, binding) = if method.is_exclusive {
            (quote!(ExclusiveGuard), quote!(&mut *worker), quote!(mut worker))
        } else {
            (quote!(SharedGuard), quote!(&*worker), quote!(worker))
        };
        let call = quote!(#worker::#name(#borrow #(, #names)*).await);
        let result = as_result(&method.returns, &call);
        quote! {
            #(#cfgs)*
            #[allow(private_interfaces)]
            fn #function(
                #binding: ::concurry::__private::#guard<#worker>,
                (#(#names,)*): (#(#types,)*),
            ) -> impl ::core::future::Future<Output = ::core::result::Result<#ok, #err>> {
                async move { #result }
            }
        }
    });
    quote!(#(#functions)*)
}
