//! For the struct: itself with the field, and its handle.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Ident;

use super::{at, checks};
use crate::model::{WorkerStruct, handle_name};

pub(super) fn expand(model: &WorkerStruct) -> TokenStream {
    let (item, worker, visibility) = (&model.item, model.ident(), model.visibility());
    let handle = handle_name(worker);
    if let Some(mistake) = &model.generic {
        return generic(model, mistake, &quote!(#handle));
    }
    let summary = format!(
        "A pool of [`{worker}`](struct@{worker}) workers. Clones are the same pool; see [`concurry::PoolHandle`]."
    );
    // At the worker's name, so that a struct without `#[worker] impl` is an error there.
    let place = at(worker);
    let pool = quote_spanned!(place=> ::concurry::PoolHandle<#worker>);
    // A field of the wrong type would be one more, where it is used.
    let check = quote_spanned!(place=> let _: ::core::option::Option<#pool> = ::core::option::Option::None;);
    let field = checks::on_condition(&pool, &check);
    let options = options(model, &checks::on_condition(&quote!(#worker), &check));
    let impls = impls(model, &handle, &pool);
    emit! {
        #item

        #[doc = #summary]
        #[allow(deprecated, non_camel_case_types)]
        #visibility struct #handle {
            pool: #field,
        }

        #[allow(deprecated)]
        const _: () = {
            #impls
            #options
        };
    }
}

/// What the handle can do, and what is reached through it.
fn impls(model: &WorkerStruct, handle: &Ident, pool: &TokenStream) -> TokenStream {
    let (worker, visibility) = (model.ident(), model.visibility());
    let limits = if model.has_limits() { emit!(&mut worker.limits) } else { emit!(::core::unreachable!()) };
    quote_spanned! {at(worker)=>
        impl #handle {
            // Here and not with the rest, so that a struct without `#[worker]` is one error: that it has no handle.
            #[doc(hidden)]
            #[allow(dead_code, unused_variables)]
            #visibility fn __limits_of(worker: &mut #worker) -> &mut ::concurry::LimitPool {
                #limits
            }

            #[doc(hidden)]
            #[allow(dead_code)]
            #visibility fn __pool(&self) -> &#pool {
                &self.pool
            }
        }

        impl ::concurry::__private::Handle for #handle {
            type Worker = #worker;
        }

        impl ::core::clone::Clone for #handle {
            fn clone(&self) -> Self {
                Self { pool: ::core::clone::Clone::clone(&self.pool) }
            }
        }

        impl ::core::fmt::Debug for #handle {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Debug::fmt(&self.pool, f)
            }
        }

        impl ::core::convert::From<#pool> for #handle {
            fn from(pool: #pool) -> Self {
                Self { pool }
            }
        }

        impl ::core::ops::Deref for #handle {
            type Target = #pool;

            fn deref(&self) -> &Self::Target {
                &self.pool
            }
        }
    }
}

/// `Worker::options`. It stands with the struct, so that two `impl` blocks are no two of it; what it returns is known to the
/// `impl` block. `me` is the worker, if there is such a block.
fn options(model: &WorkerStruct, me: &TokenStream) -> TokenStream {
    let worker = model.ident();
    quote_spanned! {at(worker)=>
        impl #worker {
            /// The options of a pool of these workers: where they run, the limits that they share, and how many there
            /// are at most. End it with `init`, which takes the arguments of `new`.
            #[allow(dead_code, private_interfaces)]
            pub fn options(
                mode: ::concurry::ExecutionMode,
                limits: impl ::concurry::__private::IntoLimits,
                max_workers: impl ::core::convert::Into<::concurry::Workers>,
            ) -> <#me as ::concurry::__private::Worker>::Options {
                <#me as ::concurry::__private::Worker>::options(mode, limits, max_workers)
            }
        }
    }
}

/// For a generic struct: what its users name, of the type of its mistake.
fn generic(model: &WorkerStruct, mistake: &TokenStream, handle: &TokenStream) -> TokenStream {
    let (item, worker, visibility) = (&model.item, model.ident(), model.visibility());
    let (parameters, arguments, conditions) = item.generics.split_for_impl();
    emit! {
        #item

        #[allow(dead_code)]
        #visibility type #handle = #mistake;

        #[allow(dead_code)]
        impl #parameters #worker #arguments #conditions {
            #visibility fn options<M, L, W>(mode: M, limits: L, max_workers: W) -> #mistake {
                ::core::unreachable!()
            }
        }
    }
}
