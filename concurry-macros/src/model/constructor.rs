//! `new`: the constructor.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{FnArg, ImplItemFn, Path, ReturnType, Signature, Type};

use super::types::{
    ResultShape, check_owned, check_unconditional, is_worker, names_worker, result_shape, without_self,
};
use crate::errors::Errors;

/// `init` takes as many.
const MOST_ARGUMENTS: usize = 12;

/// How a worker is made.
pub(crate) struct Constructor {
    /// The types of its arguments.
    pub(crate) args: Vec<Type>,
    pub(crate) is_async: bool,
    /// It returns a `Result`.
    pub(crate) returns: Made,
    /// `new` was not written: `Default` is the constructor.
    pub(crate) is_default: bool,
    /// The mistakes in it, as a type.
    pub(crate) mistake: Option<TokenStream>,
}

/// What a constructor returns.
pub(crate) enum Made {
    /// The worker.
    Worker,
    /// A result, with its error when that is written.
    Result(Option<Box<Type>>),
}

impl Constructor {
    /// No `new`: `Default` makes the worker, without arguments.
    pub(crate) fn default() -> Self {
        Self { args: Vec::new(), is_async: false, returns: Made::Worker, is_default: true, mistake: None }
    }

    /// What can be said of a `new` with mistakes: nothing but those.
    fn broken(errors: Errors) -> Self {
        Self { is_default: false, mistake: errors.into_type(), ..Self::default() }
    }

    pub(crate) fn new(function: &ImplItemFn, worker: &Path) -> Self {
        let signature = &function.sig;
        let mut errors = Errors::default();
        check_unconditional(&function.attrs, "the constructor of a worker", &mut errors);
        if let Some(token) = &signature.constness {
            errors.at(
                token,
                "the constructor of a worker cannot be const: it puts the limits of its pool into the worker",
            );
        }
        if let Some(receiver) = signature.receiver() {
            errors
                .at(receiver, "`new` is the constructor of a worker and has no receiver: rename this method");
        }
        if !signature.generics.params.is_empty() {
            errors.at(&signature.generics, "the constructor of a worker cannot be generic");
        }
        let mut args = Vec::new();
        for input in &signature.inputs {
            let FnArg::Typed(input) = input else { continue };
            check_unconditional(&input.attrs, "an argument of the constructor", &mut errors);
            check_owned(&input.ty, "an argument of the constructor", &mut errors);
            args.push(without_self((*input.ty).clone(), worker));
        }
        if args.len() > MOST_ARGUMENTS {
            let message =
                format!("a constructor has at most {MOST_ARGUMENTS} arguments: put them into a struct");
            errors.at(&signature.inputs, message);
        }
        let returns = returns(signature, worker, &mut errors);
        if errors.is_empty() {
            let is_async = signature.asyncness.is_some();
            Self { args, is_async, returns, is_default: false, mistake: None }
        } else {
            Self::broken(errors)
        }
    }
}

/// What a constructor of this signature returns; a mistake when it makes no worker.
fn returns(signature: &Signature, worker: &Path, errors: &mut Errors) -> Made {
    const WANTED: &str = "the constructor of a worker returns `Self` or `Result<Self, E>`";
    let ReturnType::Type(_, ty) = &signature.output else {
        errors.at(&signature.ident, format!("{WANTED}, not nothing"));
        return Made::Worker;
    };
    match result_shape(ty) {
        _ if is_worker(ty, worker) => Made::Worker,
        ResultShape::Both(ok, error) if is_worker(ok, worker) => {
            Made::Result(Some(Box::new(without_self(error.clone(), worker))))
        }
        ResultShape::Unknown if names_worker(ty, worker) => Made::Result(None),
        _ => {
            errors.at(ty, format!("{WANTED}, not `{}`", ty.to_token_stream()));
            Made::Worker
        }
    }
}
