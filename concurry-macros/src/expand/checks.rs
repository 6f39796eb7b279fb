//! What is asked of the types in signatures.
//!
//! A type that is not what it must be would make the whole message, or the tuple of all arguments, unfit for its place in
//! the trait `Worker`. The error would show at the attribute, and tell of types that nobody wrote. So the place takes its
//! type on a condition: the length of an array, in whose computation each of the user's types is asked by itself. The
//! error shows there, at the user's own type, and of a type with a wrong length in it the compiler says no more.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;

use super::{at, retry};
use crate::model::{Made, Returns, WorkerImpl};

/// `ty`, if all of `checks` hold: what an array of it holds.
pub(super) fn on_condition(ty: &TokenStream, checks: &TokenStream) -> TokenStream {
    emit!(<[#ty; { #checks 0 }] as ::core::iter::IntoIterator>::Item)
}

/// Arguments of methods, results and errors go to other threads.
pub(super) fn of_methods(model: &WorkerImpl) -> TokenStream {
    let methods = model.methods.iter().map(|method| {
        let cfgs = method.cfgs();
        let types = method.types.iter().chain(method.returns.parts());
        let checks = types.map(|ty| quote_spanned!(at(ty)=> __asked::sent::<#ty>();));
        let retry = retry::checks(method);
        emit!(#(#cfgs)* { #(#checks)* #retry })
    });
    emit!(#(#methods)*)
}

/// Arguments of the constructor are kept, for workers that are made later.
pub(super) fn of_constructor(model: &WorkerImpl) -> TokenStream {
    model.constructor.args.iter().map(|ty| quote_spanned!(at(ty)=> __asked::kept::<#ty>();)).collect()
}

/// Turns the constructor's error into a box.
pub(super) fn boxed_error(returns: &Made) -> TokenStream {
    if let Made::Result(Some(error)) = returns {
        quote_spanned!(at(error)=> |error| <#error as __asked::ConstructorError>::boxed(error))
    } else {
        emit!(__asked::ConstructorError::boxed)
    }
}

/// The types of a method's call: `(T, E)`.
pub(super) fn call_types(returns: &Returns) -> (TokenStream, TokenStream) {
    match returns {
        Returns::Plain(ty) => (quote!(#ty), quote!(::core::convert::Infallible)),
        Returns::Result { ok, err } => (quote!(#ok), quote!(#err)),
        Returns::Asked(ty) => {
            let returned = returned(ty);
            (quote!(<#returned>::Ok), quote!(<#returned>::Err))
        }
    }
}

/// What the compiler finds out about a type that may be a result by another name.
pub(super) fn returned(ty: &Type) -> TokenStream {
    let kind = kind(ty, Span::mixed_site());
    emit!(#kind as ::concurry::__private::Returned<#ty>)
}

/// Whether a type is a result, as a type; an error about the answer shows at `place`.
pub(super) fn kind(ty: &Type, place: Span) -> TokenStream {
    quote_spanned! {place=>
        ::concurry::__private::Kind<{
            #[allow(unused_imports)]
            use ::concurry::__private::NoResult as _;
            ::concurry::__private::Probe::<#ty>::__IS_RESULT
        }>
    }
}

/// Whether a method can fail, for code that may ask its type.
pub(super) fn can_fail(returns: &Returns) -> TokenStream {
    match returns {
        Returns::Plain(_) => emit!(false),
        Returns::Result { .. } => emit!(true),
        Returns::Asked(ty) => {
            let returned = returned(ty);
            emit!(<#returned>::IS_RESULT)
        }
    }
}

/// The traits and functions that ask. They stand in a module, where their names are no user's.
pub(super) fn expand() -> TokenStream {
    emit! {
        #[allow(dead_code)]
        mod __asked {
            pub const fn sent<T: ::core::marker::Send + 'static>() {}
            pub const fn kept<T: ::core::clone::Clone + ::core::marker::Send + 'static>() {}
            pub const fn cloned<T: ::core::clone::Clone>() {}
            pub const fn judged<T: ::concurry::__private::Fails>() {}

            #[diagnostic::on_unimplemented(
                message = "`{Self}` cannot be the error of a constructor",
                label = "must become a `Box<dyn Error + Send + Sync>`",
                note = "implement `std::error::Error` for it, or use `String`"
            )]
            pub trait ConstructorError {
                fn boxed(self) -> ::concurry::__private::BoxError;
            }
            #[diagnostic::do_not_recommend]
            impl<T: ::core::convert::Into<::concurry::__private::BoxError>> ConstructorError for T {
                fn boxed(self) -> ::concurry::__private::BoxError {
                    ::core::convert::Into::into(self)
                }
            }

            #[diagnostic::on_unimplemented(
                message = "the worker `{Self}` has no constructor",
                label = "neither `new` in this block nor `Default`",
                note = "write `pub fn new(…) -> Self` here, or derive `Default` for the struct, below `#[worker]`"
            )]
            pub trait Made<T> {
                fn made() -> T;
            }
            #[diagnostic::do_not_recommend]
            impl<T: ::core::default::Default> Made<T> for T {
                fn made() -> T {
                    ::core::default::Default::default()
                }
            }
            // With this one, the compiler does not guess what `Me` of a type with two `impl` blocks could be.
            pub enum Nobody {}
            #[diagnostic::do_not_recommend]
            impl<T> Made<T> for Nobody {
                fn made() -> T {
                    ::core::unreachable!()
                }
            }
        }
    }
}
