//! For the struct: itself with the field, and its handle.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::model::WorkerStruct;

pub(super) fn expand(model: &WorkerStruct) -> TokenStream {
    let (item, worker, visibility) = (&model.item, model.ident(), model.visibility());
    if !item.generics.params.is_empty() {
        return quote!(#item); // the mistake was noted; a handle would only add errors of its own
    }
    let handle = format_ident!("{worker}Handle");
    let summary =
        format!("A pool of [`{worker}`] workers. Clones are the same pool; see [`concurry::PoolHandle`].");
    quote! {
        #item

        #[doc = #summary]
        #visibility struct #handle {
            pool: ::concurry::PoolHandle<#worker>,
        }

        const _: () = {
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

            impl ::core::convert::From<::concurry::PoolHandle<#worker>> for #handle {
                fn from(pool: ::concurry::PoolHandle<#worker>) -> Self {
                    Self { pool }
                }
            }

            impl ::core::ops::Deref for #handle {
                type Target = ::concurry::PoolHandle<#worker>;

                fn deref(&self) -> &Self::Target {
                    &self.pool
                }
            }
        };
    }
}
