//! For a function: itself, and beside it a worker of the same name with one method.
//!
//! A function's name is one of values and a struct's one of types, so both stand in the same place, and a `use` brings both.
//! All that a worker can do, a task can do, since it is one.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Ident, ImplItem, ItemImpl, ItemStruct, Visibility, parse_quote};

use super::{impls, structs};
use crate::args::Args;
use crate::errors::Errors;
use crate::model::{Block, TaskFn, TaskKind, WorkerStruct};
use crate::rewrite;

pub(super) fn expand(model: TaskFn, args: &Args, errors: &mut Errors) -> TokenStream {
    let TaskFn { function, name, kind } = model;
    let beside = match kind {
        TaskKind::Method(mistake) => mistake,
        TaskKind::Mistake(mistake) => stub(&function.vis, &name, &mistake),
        TaskKind::Task(call) => {
            let worker = worker(&function.vis, &name, errors);
            let block = parse_quote! {
                impl #name {
                    fn new() -> Self {
                        Self {}
                    }

                    #call
                }
            };
            let block = implementation(block, args, errors);
            quote!(#worker #block)
        }
    };
    quote! {
        // A task owns its arguments, whether it uses them up or not, and is not const.
        #[allow(clippy::needless_pass_by_value, clippy::unused_async, clippy::missing_const_for_fn)]
        #function
        #beside
    }
}

fn worker(visibility: &Visibility, name: &Ident, errors: &mut Errors) -> TokenStream {
    let summary = format!(
        "The function [`{name}`](fn@{name}) as a task: `{name}::options(mode, limits, max_workers).init()` starts workers \
         that run it, and `call` of their handle, with its arguments, submits a call."
    );
    let item: ItemStruct = parse_quote! {
        #[doc = #summary]
        #visibility struct #name {}
    };
    let mut model = WorkerStruct::new(item, errors);
    rewrite::inject_field(&mut model.item, model.has_serde);
    structs::expand(&model)
}

fn implementation(block: ItemImpl, args: &Args, errors: &mut Errors) -> TokenStream {
    let Block::Worker(mut model) = Block::new(block, errors) else { return TokenStream::new() };
    rewrite::rewrite_impl(&mut model.item, &model.worker, Some(&super::impls::literal()));
    // The function and the handle's method are what is called, and documented.
    let hidden: [Attribute; 2] = [parse_quote!(#[doc(hidden)]), parse_quote!(#[allow(deprecated)])];
    for item in &mut model.item.items {
        if let ImplItem::Fn(function) = item {
            function.attrs.extend(hidden.clone());
        }
    }
    impls::expand(&model, args)
}

/// For a function with mistakes: what its users name, of the type of its mistakes.
fn stub(visibility: &Visibility, name: &Ident, mistake: &TokenStream) -> TokenStream {
    emit! {
        #[allow(dead_code)]
        #visibility struct #name {}

        #[allow(dead_code)]
        impl #name {
            #visibility fn options<M, L, W>(mode: M, limits: L, max_workers: W) -> #mistake {
                ::core::unreachable!()
            }
        }
    }
}
