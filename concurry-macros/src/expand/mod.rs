//! What is emitted.
//!
//! * `structs`: for the struct: itself with the field, and its handle.
//! * `impls`: for the `impl` block: itself, rewritten, and all of the below in one anonymous constant.
//! * `handle`: the handle's methods.
//! * `dispatch`: the message and how it is run.
//! * `wire`: how a message travels.

mod dispatch;
mod handle;
mod impls;
mod structs;
mod wire;

use proc_macro2::TokenStream;
use quote::quote;
use syn::Item;

use crate::args::Args;
use crate::errors::Errors;
use crate::model::{WorkerImpl, WorkerStruct};
use crate::rewrite;

/// The whole of `#[worker]`.
pub(crate) fn worker(args: TokenStream, tokens: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(args, &mut errors);
    let expanded = match syn::parse2::<Item>(tokens.clone()) {
        Ok(Item::Struct(item)) => {
            let mut model = WorkerStruct::new(item, &mut errors);
            rewrite::inject_field(&mut model.item);
            structs::expand(&model)
        }
        Ok(Item::Impl(item)) => {
            let original = item.clone();
            match WorkerImpl::new(item, &mut errors) {
                Some(mut model) => {
                    rewrite::rewrite_impl(&mut model.item, &model.worker);
                    impls::expand(&model, &args)
                }
                None => quote!(#original),
            }
        }
        Ok(other) => {
            errors.at(&other, "#[worker] goes on a struct, and on its inherent `impl` block");
            quote!(#other)
        }
        Err(error) => {
            errors.add(error);
            tokens
        }
    };
    let errors = errors.into_tokens();
    quote!(#expanded #errors)
}
