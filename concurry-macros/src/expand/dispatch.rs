//! The message, and how it is run.

use proc_macro2::TokenStream;
use quote::format_ident;
use syn::ext::IdentExt;
use syn::{Ident, Path};

use super::{checks, limited};
use crate::model::{Injected, Method, Returns, WorkerImpl};

/// The enum of calls: one variant a method.
pub(super) fn message(model: &WorkerImpl) -> TokenStream {
    let variants = model.methods.iter().map(|method| {
        let (name, types, cfgs) = (&method.name, &method.types, method.cfgs());
        let (ok, err) = checks::call_types(&method.returns);
        let admission = limited::field(method);
        emit! {
            #(#cfgs)*
            #name { args: (#(#types,)*), promise: ::concurry::__private::Promise<#ok, #err>, #admission }
        }
    });
    let (message, admission) = (model.message(), limited::message(model));
    emit! {
        #[allow(non_camel_case_types, private_interfaces, clippy::large_enum_variant)]
        pub enum #message {
            #(#variants),*
        }

        #admission
    }
}

/// The functions of the trait that run a message.
pub(super) fn runners(model: &WorkerImpl) -> TokenStream {
    let (worker, message) = (&model.worker, model.message());
    let access = model.methods.iter().map(|method| {
        let Method { name, is_exclusive, is_async, .. } = method;
        let cfgs = method.cfgs();
        emit! {
            #(#cfgs)*
            #message::#name { .. } => ::concurry::__private::Access { exclusive: #is_exclusive, is_async: #is_async }
        }
    });
    let run = arms(model, true, |_| true, |method| run_here(method, worker));
    let run_shared = arms(
        model,
        true,
        |method| !method.is_exclusive && !method.is_async,
        |method| run_here(method, worker),
    );
    let refuse = arms(
        model,
        false,
        |_| true,
        |_| emit! { { let _args = args; ::concurry::__private::refuse(promise, error) } },
    );
    let reject = arms(
        model,
        false,
        |_| true,
        |_| emit!((&::concurry::__private::Rejection::new(promise, args, capacity)).__reject()),
    );
    let wrong = emit!({
        ::core::mem::drop(other);
        ::concurry::__private::wrong_kind()
    });
    let shared = or_else(model, |method| !method.is_exclusive && !method.is_async, &wrong);
    let (start_shared, start_exclusive) = (start(model, false), start(model, true));
    emit! {
        fn access(message: &#message) -> ::concurry::__private::Access {
            match *message { #(#access),* }
        }

        fn run(&mut self, message: #message) -> ::concurry::__private::Ran {
            match message { #run }
        }

        fn run_shared(&self, message: #message) -> ::concurry::__private::Ran {
            match message { #run_shared #shared }
        }

        #start_shared
        #start_exclusive

        fn refuse(message: #message, error: ::concurry::__private::CallError) {
            let _ = &error;
            match message { #refuse }
        }

        fn reject(message: #message, capacity: usize) {
            use ::concurry::__private::{NeverRejects as _, Rejects as _};
            let _ = capacity;
            match message { #reject }
        }
    }
}

/// The function that starts async methods: those that have the worker for themselves, or the others.
fn start(model: &WorkerImpl, exclusive: bool) -> TokenStream {
    let (function, guard) = if exclusive {
        (emit!(start_exclusive), emit!(ExclusiveGuard))
    } else {
        (emit!(start_shared), emit!(SharedGuard))
    };
    let message = model.message();
    let is_meant = |method: &Method| method.is_async && method.is_exclusive == exclusive;
    let arms = arms(model, true, is_meant, |method| {
        let future = future_fn(&method.name);
        if method.limited.is_none() {
            return emit!((&::concurry::__private::Started::new(#future(worker, args), promise)).__take_job());
        }
        emit! {
            match ::concurry::__private::admitted(promise, admission) {
                ::core::option::Option::Some((promise, acquired)) => {
                    (&::concurry::__private::Started::new(#future(worker, (args, acquired)), promise)).__take_job()
                }
                ::core::option::Option::None => ::core::option::Option::None,
            }
        }
    });
    let none = emit!({
        ::core::mem::drop(other);
        ::core::option::Option::None
    });
    let others = or_else(model, is_meant, &none);
    emit! {
        fn #function(
            worker: ::concurry::__private::#guard<Self>,
            message: #message,
        ) -> ::core::option::Option<::concurry::__private::Job> {
            use ::concurry::__private::{IntoJob as _, NoJob as _};
            let _ = &worker;
            match message { #arms #others }
        }
    }
}

/// One arm for each method that `chosen` chooses; where it `runs`, with what it was granted.
fn arms(
    model: &WorkerImpl,
    runs: bool,
    chosen: impl Fn(&Method) -> bool,
    body: impl Fn(&Method) -> TokenStream,
) -> TokenStream {
    let arms = model.methods.iter().filter(|method| chosen(method)).map(|method| {
        let (message, name, cfgs, body) = (model.message(), &method.name, method.cfgs(), body(method));
        let admission = if runs && method.limited.is_some() { emit!(admission) } else { emit!(..) };
        emit!(#(#cfgs)* #message::#name { args, promise, #admission } => #body,)
    });
    emit!(#(#arms)*)
}

/// The arm for the methods that were not chosen; none when all were.
fn or_else(model: &WorkerImpl, chosen: impl Fn(&Method) -> bool, body: &TokenStream) -> TokenStream {
    if model.methods.iter().all(chosen) {
        TokenStream::new()
    } else {
        emit!(#[allow(unreachable_patterns, clippy::drop_non_drop)] other => #body)
    }
}

/// Runs a method on this thread: to its end, or, if it is async, until its call is cancelled.
fn run_here(method: &Method, worker: &Path) -> TokenStream {
    let Method { name, names, .. } = method;
    let arguments = limited::arguments(method);
    let call = emit!(#worker::#name(self #(, #arguments)*));
    let call = if method.is_async { emit!(#call.await) } else { call };
    let result = as_result(&method.returns, &call);
    let body = emit!(let (#(#names,)*) = args; #result);
    match (method.is_async, method.limited.is_some()) {
        (true, true) => emit! {
            ::concurry::__private::block_admitted(promise, admission, move |mut acquired| async move {
                let acquired = &mut acquired;
                let _ = &acquired;
                #body
            })
        },
        (true, false) => emit!(::concurry::__private::block(promise, async move { #body })),
        (false, true) => {
            let cancellation = cancellation(method);
            emit!({
                #cancellation
                ::concurry::__private::run_admitted(promise, admission, move |acquired| {
                    let _ = &acquired;
                    #body
                })
            })
        }
        (false, false) => {
            let cancellation = cancellation(method);
            emit!({
                #cancellation
                ::concurry::__private::run(promise, move || { #body })
            })
        }
    }
}

/// Where a pool runs its calls in their callers, a method that needs nothing but the worker is called as such, and its
/// method of the handle returns with that.
pub(super) fn call_here(model: &WorkerImpl, method: &Method, number: u16) -> Option<TokenStream> {
    let Method { names, .. } = method;
    let (worker, handle) = (&model.worker, model.handle());
    let result = plain_result(model, method, &emit!(worker))?;
    Some(emit! {
        let run = |worker: &mut #worker, args| {
            let (#(#names,)*) = args;
            #result
        };
        let here = ::concurry::PoolHandle::run_here(<#handle>::__pool(self), #number, (#(#names,)*), run);
        let (#(#names,)*) = match here {
            ::core::result::Result::Ok(call) => return call,
            ::core::result::Result::Err(args) => args,
        };
    })
}

/// The call of a method that needs nothing but its worker, of which `on` is one; none of others.
pub(super) fn plain_result(model: &WorkerImpl, method: &Method, on: &TokenStream) -> Option<TokenStream> {
    let (Method { name, names, .. }, worker) = (method, &model.worker);
    let is_plain = !method.is_async && method.limited.is_none() && method.injected.is_empty();
    is_plain.then(|| as_result(&method.returns, &emit!(#worker::#name(#on #(, #names)*))))
}

/// What a method looks at that wants to know whether its call was cancelled.
fn cancellation(method: &Method) -> Option<TokenStream> {
    let looks = method.injected.iter().any(|(_, injected)| *injected == Injected::Cancellation);
    looks.then(|| emit!(let cancellation = ::concurry::__private::cancellation(&promise);))
}

/// A method's value as a result, whatever it returns.
fn as_result(returns: &Returns, value: &TokenStream) -> TokenStream {
    match returns {
        Returns::Plain(_) => emit!(::core::result::Result::Ok(#value)),
        Returns::Result { .. } => value.clone(),
        Returns::Asked(ty) => {
            let returned = checks::returned(ty);
            emit!(<#returned>::into_result(#value))
        }
    }
}

/// The name of the function that makes the future of an async method.
pub(super) fn future_fn(name: &Ident) -> Ident {
    format_ident!("__future_of_{}", name.unraw())
}

/// For each async method a function whose future owns the guard of its worker. Being functions of their own, their futures
/// have a known type elsewhere, so that it can be asked whether they can be sent.
pub(super) fn future_fns(model: &WorkerImpl) -> TokenStream {
    let worker = &model.worker;
    let functions = model.methods.iter().filter(|method| method.is_async).map(|method| {
        let Method { name, names, types, .. } = method;
        let (function, cfgs) = (future_fn(name), method.cfgs());
        let (ok, err) = checks::call_types(&method.returns);
        let (guard, borrow, binding) = if method.is_exclusive {
            (emit!(ExclusiveGuard), emit!(&mut *worker), emit!(mut worker))
        } else {
            (emit!(SharedGuard), emit!(&*worker), emit!(worker))
        };
        let arguments = limited::arguments(method);
        let call = emit!(#worker::#name(#borrow #(, #arguments)*).await);
        let result = as_result(&method.returns, &call);
        let (pattern, ty) = (emit!((#(#names,)*)), emit!((#(#types,)*)));
        let (pattern, ty, acquired) = if method.limited.is_some() {
            let pattern = emit!((#pattern, mut acquired));
            // It is released before the call is answered, and on this side of a panic.
            (pattern, emit!((#ty, ::concurry::LimitSetAcquisition)), emit!(let acquired = &mut acquired;))
        } else {
            (pattern, ty, TokenStream::new())
        };
        emit! {
            #(#cfgs)*
            #[allow(private_interfaces, clippy::used_underscore_binding)]
            fn #function(
                #binding: ::concurry::__private::#guard<#worker>,
                #pattern: #ty,
            ) -> impl ::core::future::Future<Output = ::core::result::Result<#ok, #err>> {
                async move {
                    #acquired
                    #result
                }
            }
        }
    });
    emit!(#(#functions)*)
}
