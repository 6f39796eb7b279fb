//! One method of the handle.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, FnArg, Ident, ImplItemFn, Pat, ReceiverKind, ReturnType, Safety, Type, Visibility};

use super::types::{ResultShape, check_owned, result_shape, without_self};
use crate::errors::Errors;

/// Arguments travel as one tuple, and serde knows tuples up to a length.
const MOST_ARGUMENTS: usize = 16;

/// A method that the handle has as well.
pub(crate) struct Method {
    pub(crate) name: Ident,
    pub(crate) visibility: Visibility,
    /// Documentation and conditional compilation, carried over.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) names: Vec<Ident>,
    pub(crate) types: Vec<Type>,
    pub(crate) returns: Returns,
    /// `&mut self`.
    pub(crate) is_exclusive: bool,
    pub(crate) is_async: bool,
}

/// What a method returns.
pub(crate) enum Returns {
    /// A plain value: the call cannot fail by itself.
    Plain(Type),
    /// A result with both types written.
    Result { ok: Type, err: Type },
    /// An alias of a result, taken apart by a trait.
    Alias(Type),
}

impl Returns {
    /// The types of the call: `(T, E)`.
    pub(crate) fn call_types(&self) -> (TokenStream, TokenStream) {
        match self {
            Self::Plain(ty) => (quote!(#ty), quote!(::core::convert::Infallible)),
            Self::Result { ok, err } => (quote!(#ok), quote!(#err)),
            Self::Alias(ty) => (
                quote!(<#ty as ::concurry::__private::MethodResult>::Ok),
                quote!(<#ty as ::concurry::__private::MethodResult>::Err),
            ),
        }
    }

    /// The whole type, as written.
    pub(crate) fn whole(&self) -> TokenStream {
        match self {
            Self::Plain(ty) | Self::Alias(ty) => quote!(#ty),
            Self::Result { ok, err } => quote!(::core::result::Result<#ok, #err>),
        }
    }

    /// The types that must be able to travel, each by itself, so that an error names the right one.
    pub(crate) fn parts(&self) -> Vec<TokenStream> {
        match self {
            Self::Plain(ty) | Self::Alias(ty) => vec![quote!(#ty)],
            Self::Result { ok, err } => vec![quote!(#ok), quote!(#err)],
        }
    }
}

impl Method {
    /// `None`, with the mistakes noted, when `function` cannot be called through a handle.
    pub(crate) fn new(function: &ImplItemFn, worker: &Ident, errors: &mut Errors) -> Option<Self> {
        let signature = &function.sig;
        let mut fine = true;
        let receiver = signature.receiver()?;
        let is_exclusive = match &receiver.kind {
            ReceiverKind::Reference(_, _, mutability) => mutability.is_some(),
            _ => {
                fine = false;
                false
            }
        };
        if !fine {
            errors.at(
                receiver,
                "a worker's method takes `&self` or `&mut self`: the worker goes on living after the call",
            );
        }
        if !signature.generics.params.is_empty() {
            errors.at(
                &signature.generics,
                "a worker's method cannot be generic: its call is a message of one type; \
                 take concrete types, or make the method private",
            );
            fine = false;
        }
        if let Safety::Unsafe(token) = &signature.safety {
            errors.at(
                token,
                "a worker's method cannot be unsafe: nobody could keep its promise from elsewhere",
            );
            fine = false;
        }
        let (mut names, mut types) = (Vec::new(), Vec::new());
        for (index, input) in signature.inputs.iter().enumerate() {
            let FnArg::Typed(input) = input else { continue };
            fine &= check_owned(&input.ty, "an argument of a worker's method", errors);
            names.push(match &*input.pat {
                Pat::Ident(pattern) => pattern.ident.clone(),
                _ => format_ident!("argument_{index}"),
            });
            types.push(without_self((*input.ty).clone(), worker));
        }
        if types.len() > MOST_ARGUMENTS {
            let message =
                format!("a worker's method has at most {MOST_ARGUMENTS} arguments: put them into a struct");
            errors.at(&signature.inputs, message);
            fine = false;
        }
        let returns = match &signature.output {
            ReturnType::Default => Returns::Plain(syn::parse_quote!(())),
            ReturnType::Type(_, ty) => {
                fine &= check_owned(ty, "the result of a worker's method", errors);
                let ty = without_self((**ty).clone(), worker);
                match result_shape(&ty) {
                    ResultShape::Both(ok, err) => Returns::Result { ok: ok.clone(), err: err.clone() },
                    ResultShape::Alias => Returns::Alias(ty),
                    ResultShape::None => Returns::Plain(ty),
                }
            }
        };
        fine.then(|| Self {
            name: signature.ident.clone(),
            visibility: function.vis.clone(),
            attributes: carried_over(&function.attrs),
            names,
            types,
            returns,
            is_exclusive,
            is_async: signature.asyncness.is_some(),
        })
    }
}

fn carried_over(attributes: &[Attribute]) -> Vec<Attribute> {
    const CARRIED: [&str; 4] = ["doc", "cfg", "deprecated", "allow"];
    attributes
        .iter()
        .filter(|attribute| CARRIED.iter().any(|name| attribute.path().is_ident(name)))
        .cloned()
        .collect()
}
