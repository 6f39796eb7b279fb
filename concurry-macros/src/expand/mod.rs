//! What is emitted.
//!
//! * `structs`: for the struct: itself with the field, and its handle.
//! * `impls`: for the `impl` block: itself, rewritten, and all of the below in one anonymous constant.
//! * `tasks`: for a function: the struct and the `impl` block of a worker that calls it.
//! * `handle`: the handle's methods.
//! * `dispatch`: the message and how it is run.
//! * `limited`: what a call needs before it is run.
//! * `retry`: how a call is tried again.
//! * `wire`: how a message travels.
//! * `checks`: what is asked of the types in signatures.
//!
//! What is emitted stands among the user's names, whatever those are. So paths are absolute, items have names that nobody
//! writes, and local variables are hygienic: every template is an `emit!`.

/// A template as `quote!` is, with the hygiene of `macro_rules!`: its local variables are not the user's.
macro_rules! emit {
    ($($token:tt)*) => {
        ::quote::quote_spanned!(::proc_macro2::Span::mixed_site()=> $($token)*)
    };
}

mod checks;
mod dispatch;
mod handle;
mod impls;
mod limited;
mod retry;
mod structs;
mod tasks;
mod wire;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{Item, ItemImpl, Type, TypePath};

use crate::args::Args;
use crate::errors::Errors;
use crate::model::{Block, TaskFn, WorkerStruct, bare};
use crate::rewrite;

/// The span of an error at the user's `place`, in code that is not the user's: no lint of theirs fires in it.
fn at(place: &impl Spanned) -> Span {
    Span::mixed_site().located_at(place.span())
}

/// The whole of `#[worker]`.
pub(crate) fn worker(args: TokenStream, tokens: TokenStream) -> TokenStream {
    whole("#[worker]", args, tokens, |item, args, errors| match item {
        Item::Struct(item) => {
            if let Some(process) = &args.process {
                errors.at(process, "`process` stands on the `impl` block, where the types are");
            }
            let mut model = WorkerStruct::new(item, errors);
            rewrite::inject_field(&mut model.item, model.has_serde);
            structs::expand(&model)
        }
        Item::Impl(item) => match Block::new(item, errors) {
            Block::Worker(mut model) => {
                rewrite::rewrite_impl(&mut model.item, &model.worker, Some(&impls::literal()));
                impls::expand(&model, args)
            }
            Block::Generic(item) => generic(item),
            Block::Trait(item) => of_a_trait(item, args, errors),
            Block::Other(mut item) => {
                rewrite::rewrite_impl(&mut item, &syn::parse_quote!(Self), None);
                quote!(#item)
            }
        },
        other => {
            let more = if matches!(other, Item::Fn(_)) { "; for a function there is #[task]" } else { "" };
            let message = format!("#[worker] goes on a struct, and on its inherent `impl` block{more}");
            errors.at(name(&other), message);
            quote!(#other)
        }
    })
}

/// The whole of `#[task]`.
pub(crate) fn task(args: TokenStream, tokens: TokenStream) -> TokenStream {
    whole("#[task]", args, tokens, |item, args, errors| match item {
        Item::Fn(item) => tasks::expand(TaskFn::new(item), args, errors),
        other => {
            errors.at(name(&other), "#[task] goes on a function");
            quote!(#other)
        }
    })
}

/// The whole of an attribute: what `expand` makes of the item, and all mistakes.
fn whole(
    attribute: &str,
    args: TokenStream,
    tokens: TokenStream,
    expand: impl FnOnce(Item, &Args, &mut Errors) -> TokenStream,
) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(attribute, args, &mut errors);
    let expanded = match syn::parse2::<Item>(tokens.clone()) {
        Ok(item) => expand(item, &args, &mut errors),
        Err(error) => {
            errors.add(error);
            tokens
        }
    };
    let errors = errors.into_tokens();
    quote!(#expanded #errors)
}

/// The `impl` block of a generic struct: the mistake shows at the struct. A struct without `#[worker]` does not say so, but
/// has no field `limits` either.
fn generic(mut item: ItemImpl) -> TokenStream {
    let (generics, ty) = (&item.generics, &item.self_ty);
    let (parameters, _, conditions) = generics.split_for_impl();
    let worker = quote::format_ident!("worker", span = proc_macro2::Span::mixed_site());
    let field = quote::quote_spanned!(at(ty)=> #worker.limits);
    let check = emit! {
        #[allow(dead_code)]
        const _: () = {
            fn has_limits #parameters (#worker: &#ty) #conditions {
                let _: &::concurry::LimitPool = &#field;
            }
        };
    };
    rewrite::rewrite_impl(&mut item, &syn::parse_quote!(Self), None);
    quote!(#item #check)
}

/// The `impl` block of a trait, which has literals of the worker. Without any, `#[worker]` was put there for something else.
fn of_a_trait(mut item: ItemImpl, args: &Args, errors: &mut Errors) -> TokenStream {
    if let Some(process) = &args.process {
        errors.at(
            process,
            "`process` stands on the inherent `impl` block, where the methods of the handle are",
        );
    }
    let worker = match bare(&item.self_ty) {
        Type::Path(TypePath { qself: None, path, .. }) => path.clone(),
        _ => syn::parse_quote!(Self),
    };
    let has_literals = rewrite::rewrite_impl(&mut item, &worker, None);
    if !has_literals && let Some((path, _)) = &item.trait_ {
        errors.at(
            path,
            "#[worker] goes on the inherent `impl` block: methods of a trait are not on the handle. \
             On that of a trait it adds the field `limits` to literals of the worker, and here are none",
        );
    }
    quote!(#item)
}

/// The part of an item that an error about it points to.
fn name(item: &Item) -> TokenStream {
    match item {
        Item::Enum(item) => item.ident.to_token_stream(),
        Item::Union(item) => item.ident.to_token_stream(),
        Item::Fn(item) => item.sig.ident.to_token_stream(),
        Item::Trait(item) => item.ident.to_token_stream(),
        Item::Struct(item) => item.ident.to_token_stream(),
        Item::Mod(item) => item.ident.to_token_stream(),
        other => other.to_token_stream(),
    }
}
