//! `new`: the constructor.

use syn::spanned::Spanned;
use syn::{FnArg, Ident, ImplItemFn, ReturnType, Type};

use super::types::{ResultShape, check_owned, is_worker, names_worker, result_shape, without_self};
use crate::errors::Errors;

/// How a worker is made.
pub(crate) struct Constructor {
    /// The types of its arguments.
    pub(crate) args: Vec<Type>,
    pub(crate) is_async: bool,
    /// It returns a `Result`.
    pub(crate) is_fallible: bool,
    /// `new` was not written: `Default` is the constructor.
    pub(crate) is_default: bool,
}

impl Constructor {
    /// No `new`: `Default` makes the worker, without arguments.
    pub(crate) fn default() -> Self {
        Self { args: Vec::new(), is_async: false, is_fallible: false, is_default: true }
    }

    /// `None`, with the mistakes noted, when `function` cannot be a constructor.
    pub(crate) fn new(function: &ImplItemFn, worker: &Ident, errors: &mut Errors) -> Option<Self> {
        let signature = &function.sig;
        let mut fine = true;
        if let Some(receiver) = signature.receiver() {
            errors
                .at(receiver, "`new` is the constructor of a worker and has no receiver: rename this method");
            fine = false;
        }
        if !signature.generics.params.is_empty() {
            errors.at(&signature.generics, "the constructor of a worker cannot be generic");
            fine = false;
        }
        let mut args = Vec::new();
        for input in &signature.inputs {
            let FnArg::Typed(input) = input else { continue };
            fine &= check_owned(&input.ty, "an argument of the constructor", errors);
            args.push(without_self((*input.ty).clone(), worker));
        }
        if args.len() > 12 {
            errors.at(&signature.inputs, "a constructor has at most 12 arguments: put them into a struct");
            fine = false;
        }
        let is_fallible = match returns(&signature.output, worker) {
            Some(is_fallible) => is_fallible,
            None => {
                let message = format!(
                    "the constructor of a worker returns `Self` or `Result<Self, E>`, not {}",
                    match &signature.output {
                        ReturnType::Default => "nothing".to_owned(),
                        ReturnType::Type(_, ty) => format!("`{}`", quote::quote!(#ty)),
                    }
                );
                match &signature.output {
                    ReturnType::Default => errors.add(syn::Error::new(signature.span(), message)),
                    ReturnType::Type(_, ty) => errors.at(ty, message),
                }
                return None;
            }
        };
        let is_async = signature.asyncness.is_some();
        fine.then_some(Self { args, is_async, is_fallible, is_default: false })
    }
}

/// Whether a constructor with this return type can fail; `None` when it makes no worker.
fn returns(output: &ReturnType, worker: &Ident) -> Option<bool> {
    let ReturnType::Type(_, ty) = output else { return None };
    match result_shape(ty) {
        _ if is_worker(ty, worker) => Some(false),
        ResultShape::Both(ok, _) => is_worker(ok, worker).then_some(true),
        ResultShape::Alias => names_worker(ty, worker).then_some(true),
        ResultShape::None => None,
    }
}
