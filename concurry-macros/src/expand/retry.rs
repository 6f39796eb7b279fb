//! Retries: what a pool is told of its methods, and how the attempts at a call are made.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Expr;
use syn::ext::IdentExt;

use super::{at, checks, limited};
use crate::model::{Method, Returns, WorkerImpl, bare_expr};

/// Whether calls of a method may be tried again: when it can fail, or its type is yet to be asked, or it says so.
pub(super) fn is_retried(method: &Method) -> bool {
    method.retry.is_some() || !matches!(method.returns, Returns::Plain(_))
}

/// Its method of the handle submits the call, with the retry that the pool has for it. Where a pool has none, looking for it
/// costs a method that can fail one load: the length of the pool's list of them, which is empty.
pub(super) fn submit(model: &WorkerImpl, method: &Method, number: u16) -> TokenStream {
    let (handle, message, worker) = (model.handle(), model.message(), &model.worker);
    let (Method { name, names, .. }, recipe) = (method, recipe_fn(&method.name));
    let once = if method.limited.is_some() {
        let amounts = limited::amounts_fn(name);
        emit! {
            let asking = ::concurry::__private::asking(promise, (#(#names,)*), <#worker>::#amounts);
            if let ::core::option::Option::Some((promise, args, admission)) = asking {
                let message = #message::#name { args, promise, admission };
                ::concurry::PoolHandle::submit_limited(<#handle>::__pool(self), message, &call);
            }
        }
    } else {
        emit! {
            let message = #message::#name { args: (#(#names,)*), promise };
            ::concurry::PoolHandle::submit(<#handle>::__pool(self), message);
        }
    };
    if !is_retried(method) {
        return once;
    }
    let rule = emit!(::concurry::PoolHandle::retry(<#handle>::__pool(self), #number));
    let rule = match (&method.returns, &method.retry) {
        // One that cannot fail asks for nothing: this is known before the program runs.
        (Returns::Asked(_), None) => {
            let can_fail = checks::can_fail(&method.returns);
            emit!(if #can_fail { #rule } else { ::core::option::Option::None })
        }
        _ => rule,
    };
    emit! {
        let rule = #rule;
        if let ::core::option::Option::Some(retry) = rule {
            use ::concurry::__private::{NoAttempts as _, SubmitsAttempts as _};
            let (pool, ends) = (<#handle>::__pool(self), (promise, &call));
            (&::concurry::__private::Attempts::new(pool, retry, ends, (#(#names,)*), <#worker>::#recipe())).__submit();
        } else {
            #once
        }
    }
}

fn recipe_fn(name: &Ident) -> Ident {
    format_ident!("__recipe_of_{}", name.unraw())
}

/// For each method that may be tried again, the way to make its attempts. They stand in an `impl` block of the worker, where
/// the predicates' `Self` is the worker.
pub(super) fn recipes(model: &WorkerImpl) -> TokenStream {
    let (worker, message) = (&model.worker, model.message());
    let recipes = model.methods.iter().filter(|method| is_retried(method)).map(|method| {
        let Method { name, types, .. } = method;
        let again = if method.limited.is_some() {
            let amounts = limited::amounts_fn(name);
            emit! {
                |args, promise| {
                    let (args, admission) = Self::#amounts(args);
                    #message::#name { args, promise, admission }
                }
            }
        } else {
            emit!(|args, promise| #message::#name { args, promise })
        };
        let (function, cfgs, lints, text) = (recipe_fn(name), method.cfgs(), method.lints(), method.text());
        let (ok, err) = checks::call_types(&method.returns);
        let predicates = predicates(method, &ok, &err);
        let places = (0..types.len()).map(syn::Index::from);
        emit! {
            #(#cfgs)*
            #(#lints)*
            #[allow(private_interfaces, clippy::redundant_closure_for_method_calls, clippy::unused_unit)]
            fn #function() -> ::concurry::__private::Recipe<#message, (#(#types,)*), #ok, #err> {
                use ::concurry::__private::{Clones as _, Dull as _, NeverCloned as _, Shows as _};
                ::concurry::__private::Recipe {
                    name: #text,
                    message: #again,
                    clone: |args| {
                        let _ = args;
                        ::core::option::Option::Some((
                            #((&::concurry::__private::Probe::<#types>::NEW).__cloned(&args.#places)?,)*
                        ))
                    },
                    predicates: #predicates,
                }
            }
        }
    });
    let (amounts, lints) = (limited::amounts_fns(model), model.lints());
    emit! {
        #[allow(dead_code)]
        #(#lints)*
        impl #worker {
            #amounts
            #(#recipes)*
        }
    }
}

fn predicates(method: &Method, ok: &TokenStream, err: &TokenStream) -> TokenStream {
    let args = method.retry.as_ref();
    let judged = |predicate: Option<&Expr>| match (&method.returns, predicate) {
        // Of a type with a mistake in it the compiler does not say that the predicate takes another.
        (Returns::Asked(ty), Some(predicate)) => {
            let kind = checks::kind(ty, at(predicate));
            let check = quote_spanned!(at(predicate)=> __asked::judged::<#kind>(););
            checks::on_condition(err, &check)
        }
        _ => err.clone(),
    };
    let (judged_by_on, judged_by_after) =
        (judged(args.and_then(|args| args.on.as_ref())), judged(args.and_then(|args| args.after.as_ref())));
    let on = predicate(args.and_then(|args| args.on.as_ref()), &judged_by_on, &emit!(bool));
    let until = predicate(args.and_then(|args| args.until.as_ref()), ok, &emit!(bool));
    let wait = emit!(::core::option::Option<::core::time::Duration>);
    let after = predicate(args.and_then(|args| args.after.as_ref()), &judged_by_after, &wait);
    emit! {
        ::concurry::__private::Predicates {
            on: #on,
            until: #until,
            after: #after,
            show: |value| (&::concurry::__private::Probe::<#ok>::NEW).__shown(value),
        }
    }
}

/// A closure tells the number of its arguments; a named function is asked for it.
fn predicate(predicate: Option<&Expr>, about: &TokenStream, returns: &TokenStream) -> TokenStream {
    let Some(predicate) = predicate else { return emit!(::core::option::Option::None) };
    let ask = match bare_expr(predicate) {
        Expr::Closure(closure) if closure.inputs.len() == 1 => emit!(ask_one::<#about, #returns>),
        Expr::Closure(_) => emit!(ask_two::<#about, #returns>),
        _ => emit!(ask::<#about, #returns, _>),
    };
    // The call is at the user's predicate, so that an error shows there.
    let call = quote_spanned!(at(predicate)=> ::concurry::__private::#ask(#predicate, about, attempt));
    emit!(::core::option::Option::Some(|about, attempt| #call))
}

/// What `init` is told of the methods that may be tried again.
pub(super) fn retries(model: &WorkerImpl) -> TokenStream {
    let methods = model.methods.iter().zip(0u16..).filter(|(method, _)| is_retried(method));
    let methods = methods.map(|(method, number)| {
        let (name, cfgs, types) = (method.text(), method.cfgs(), &method.types);
        let overrides = overrides(method);
        let has_until = method.retry.as_ref().is_some_and(|args| args.until.is_some());
        let can_fail = checks::can_fail(&method.returns);
        let has_retry = method.retry.is_some();
        let place = format!("of `{name}`");
        emit! {
            #(#cfgs)*
            if #has_retry || #can_fail {
                #[allow(unused_mut)]
                let mut not_clone = ::std::vec::Vec::new();
                #(if !(&::concurry::__private::Probe::<#types>::NEW).__is_clone() {
                    not_clone.push(::std::format!("argument `{}` {}", ::core::any::type_name::<#types>(), #place));
                })*
                retries.push(::concurry::__private::MethodRetry {
                    number: #number,
                    name: #name,
                    overrides: #overrides,
                    can_fail: #can_fail,
                    has_until: #has_until,
                    not_clone,
                });
            }
        }
    });
    emit! {
        #[allow(clippy::vec_init_then_push)]
        fn retries() -> ::std::vec::Vec<::concurry::__private::MethodRetry> {
            #[allow(unused_imports)]
            use ::concurry::__private::{Clones as _, NeverCloned as _};
            #[allow(unused_mut)]
            let mut retries = ::std::vec::Vec::new();
            #(#methods)*
            retries
        }
    }
}

fn overrides(method: &Method) -> TokenStream {
    let Some(args) = &method.retry else { return emit!(::core::option::Option::None) };
    let fields = args.fields.iter().map(|(name, value)| {
        let name = Ident::new(&name.to_string(), proc_macro2::Span::mixed_site());
        let value = quote_spanned!(at(value)=> ::core::option::Option::Some(#value));
        emit!(overrides.#name = #value;)
    });
    let algorithm = args.algorithm.iter().map(|variant| {
        emit!(overrides.algorithm = ::core::option::Option::Some(::concurry::__private::RetryAlgorithm::#variant);)
    });
    emit! {
        {
            #[allow(unused_mut)]
            let mut overrides = <::concurry::__private::RetryOverrides as ::core::default::Default>::default();
            #(#fields)*
            #(#algorithm)*
            ::core::option::Option::Some(overrides)
        }
    }
}

/// For methods that ask for a retry: their arguments must be `Clone`.
pub(super) fn checks(method: &Method) -> TokenStream {
    if method.retry.is_none() {
        return TokenStream::new();
    }
    let checks = method.types.iter().map(|ty| quote_spanned!(at(ty)=> __asked::cloned::<#ty>();));
    quote!(#(#checks)*)
}
