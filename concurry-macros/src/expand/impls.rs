//! For the `impl` block: itself, rewritten, and what makes it a worker.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Ident;

use super::{at, checks, dispatch, handle, retry, wire};
use crate::args::Args;
use crate::model::{Made, WorkerImpl};

pub(super) fn expand(model: &WorkerImpl, args: &Args) -> TokenStream {
    let (worker, handle_name, message_name) = (&model.worker, model.handle(), model.message());
    let types = &model.constructor.args;
    let message_type = checks::on_condition(&quote!(#message_name), &checks::of_methods(model));
    let args_type = checks::on_condition(&quote!((#(#types,)*)), &checks::of_constructor(model));
    let (checks, message, runners, futures) =
        (checks::expand(), dispatch::message(model), dispatch::runners(model), dispatch::future_fns(model));
    let (wire, handle, options, construct) = (
        wire::expand(model, args.process.is_some()),
        handle::expand(model),
        options(model),
        construct(model),
    );
    let is_limited = model.methods.iter().any(|method| method.limited.is_some());
    let (recipes, retries) = (retry::recipes(model), retry::retries(model));
    let must_travel = if args.process.is_some() { wire::must_travel(model) } else { TokenStream::new() };
    // At the worker's name, so that a second block is an error there.
    let implementation = quote_spanned! {at(worker)=>
        #[allow(clippy::used_underscore_binding)]
        impl ::concurry::__private::Worker for #worker {
            type Message = #message_type;
            type Args = #args_type;
            type Handle = #handle_name;
            const IS_LIMITED: bool = #is_limited;

            #options
            #construct

            fn limits_mut(&mut self) -> &mut ::concurry::LimitPool {
                <#handle_name>::__limits_of(self)
            }

            #runners
            #retries
            #wire
        }
    };
    let users = users_own(model);
    emit! {
        #users

        #[allow(deprecated)]
        const _: () = {
            #checks
            #message
            #futures
            #recipes
            #must_travel
            #handle

            #implementation

            ::concurry::__private::submit! {
                ::concurry::__private::Registration::of::<#worker>()
            }
        };
    }
}

/// The user's block, rewritten.
///
/// The type of its literals is reached through the handle: a struct without `#[worker]` has none, and of a literal of an
/// unknown type the compiler does not say that it lacks the field.
fn users_own(model: &WorkerImpl) -> TokenStream {
    let (item, handle, literal) = (&model.item, model.handle(), literal());
    let me = quote_spanned!(at(&model.worker)=> type #literal = <#handle as ::concurry::__private::Handle>::Worker;);
    emit! {
        const _: () = {
            #[allow(dead_code)]
            #me

            // A method must have a receiver and own its arguments to be called from elsewhere, whether it uses them or not.
            #[allow(clippy::needless_pass_by_value, clippy::unused_async, clippy::unused_self)]
            #item
        };
    }
}

/// The worker's name in its own literals.
pub(super) fn literal() -> Ident {
    format_ident!("__Me")
}

/// `Worker::options`. A mistake in the constructor stands for what it returns, since that depends on the constructor.
fn options(model: &WorkerImpl) -> TokenStream {
    let (returns, body) = match &model.constructor.mistake {
        Some(mistake) => (mistake.clone(), emit!(::core::unreachable!())),
        None => (
            emit!(::concurry::WorkerOptions<Self, <Self as ::concurry::__private::Worker>::Args>),
            emit!(::concurry::WorkerOptions::new(mode, limits, max_workers)),
        ),
    };
    emit! {
        type Options = #returns;
        type Me = Self;

        #[allow(unused_variables)]
        fn options(
            mode: ::concurry::ExecutionMode,
            limits: impl ::concurry::__private::IntoLimits,
            max_workers: impl ::core::convert::Into<::concurry::Workers>,
        ) -> Self::Options {
            #body
        }
    }
}

fn construct(model: &WorkerImpl) -> TokenStream {
    let (worker, constructor) = (&model.worker, &model.constructor);
    let count = constructor.args.len();
    let names: Vec<_> =
        (0..count).map(|index| format_ident!("argument_{index}", span = Span::mixed_site())).collect();
    let made = if constructor.is_default {
        quote_spanned!(at(worker)=> <<#worker as ::concurry::__private::Worker>::Me as __asked::Made<#worker>>::made())
    } else {
        emit!(#worker::new(#(#names),*))
    };
    let made = if constructor.is_async { emit!(::concurry::__private::block_on(#made)) } else { made };
    let made = match (&constructor.mistake, &constructor.returns) {
        (Some(_), _) => quote!(::core::unreachable!()),
        (None, Made::Worker) => emit!(::core::result::Result::Ok(#made)),
        (None, Made::Result(_)) => {
            let boxed = checks::boxed_error(&constructor.returns);
            emit!(::core::result::Result::map_err(#made, #boxed))
        }
    };
    emit! {
        fn construct(
            (#(#names,)*): Self::Args,
        ) -> ::core::result::Result<Self, ::concurry::__private::BoxError> {
            #made
        }
    }
}
