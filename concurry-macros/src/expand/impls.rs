//! For the `impl` block: itself, rewritten, and what makes it a worker.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::{dispatch, handle, wire};
use crate::args::Args;
use crate::model::{Constructor, WorkerImpl};

pub(super) fn expand(model: &WorkerImpl, args: &Args) -> TokenStream {
    let (item, worker) = (&model.item, &model.worker);
    let types = &model.constructor.args;
    let (message, runners, futures) =
        (dispatch::message(model), dispatch::runners(model), dispatch::future_fns(model));
    let (wire, handle, construct) = (wire::expand(model), handle::expand(model), construct(model));
    let must_travel = if args.process { wire::must_travel(model) } else { TokenStream::new() };
    let handle_name = quote::format_ident!("{worker}Handle");
    let must_clone = model
        .constructor
        .args
        .iter()
        .map(|ty| quote_spanned!(ty.span()=> must_be_cloned_for_each_worker::<#ty>();));
    quote! {
        #item

        #[allow(clippy::all, clippy::pedantic, unused_qualifications, missing_docs, let_underscore_drop)]
        const _: () = {
            #message
            #futures
            #must_travel

            #[allow(dead_code)]
            fn constructor_arguments() {
                fn must_be_cloned_for_each_worker<T: ::core::clone::Clone + ::core::marker::Send + 'static>() {}
                #(#must_clone)*
            }

            impl #worker {
                /// The options of a pool of these workers: where they run, the limits that they share, and how many there
                /// are at most. End it with `init`, which takes the arguments of `new`.
                pub fn options(
                    mode: ::concurry::ExecutionMode,
                    limits: impl ::concurry::__private::IntoLimits,
                    max_workers: impl ::core::convert::Into<::concurry::Workers>,
                ) -> ::concurry::WorkerOptions<Self, (#(#types,)*)> {
                    ::concurry::WorkerOptions::new(mode, limits, max_workers)
                }
            }

            #handle

            impl ::concurry::__private::Worker for #worker {
                type Message = Message;
                type Args = (#(#types,)*);
                type Handle = #handle_name;

                #construct

                fn limits_mut(&mut self) -> &mut ::concurry::LimitPool {
                    &mut self.limits
                }

                #runners
                #wire
            }

            ::concurry::__private::submit! {
                ::concurry::__private::Registration::of::<#worker>()
            }
        };
    }
}

fn construct(model: &WorkerImpl) -> TokenStream {
    let worker = &model.worker;
    let Constructor { args, is_async, is_fallible, is_default } = &model.constructor;
    let names: Vec<_> = (0..args.len()).map(|index| quote::format_ident!("argument_{index}")).collect();
    let made = if *is_default {
        quote!(<#worker as ::core::default::Default>::default())
    } else {
        quote!(#worker::new(#(#names),*))
    };
    let made = if *is_async { quote!(::concurry::__private::block_on(#made)) } else { made };
    let made = if *is_fallible {
        quote!(#made.map_err(::core::convert::Into::into))
    } else {
        quote!(::core::result::Result::Ok(#made))
    };
    quote! {
        fn construct(
            (#(#names,)*): Self::Args,
        ) -> ::core::result::Result<Self, ::concurry::__private::BoxError> {
            #made
        }
    }
}
