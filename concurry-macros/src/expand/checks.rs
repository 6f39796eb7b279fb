//! What is asked of the types in signatures.
//!
//! A type that is not what it must be would make the whole message, or the tuple of all arguments, unfit for its place in
//! the trait `Worker`, and the error would show there. So where these name a type they name it through a trait that
//! demands the same of this type alone: the error shows at the user's own type, and the compiler is silent about the rest.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote_spanned};
use syn::Ident;
use syn::spanned::Spanned;

use crate::model::{Made, WorkerImpl};

/// `T`, of which `demand` is asked.
pub(super) fn asked(demand: &str, ty: impl ToTokens + Spanned) -> TokenStream {
    let span = ty.span();
    let demand = Ident::new(demand, span);
    quote_spanned!(span=> <#ty as __asked::#demand>::Itself)
}

/// The traits. They stand in a module, where their names are no user's.
pub(super) fn expand(model: &WorkerImpl) -> TokenStream {
    let constructor_error = match &model.constructor.returns {
        Made::Result(Some(error)) if model.constructor.mistake.is_none() => {
            let check = quote_spanned!(error.span()=> __asked::is_constructor_error::<#error>(););
            emit! {
                #[allow(dead_code)]
                fn __constructor_error() {
                    #check
                }
            }
        }
        _ => TokenStream::new(),
    };
    emit! {
        #[allow(dead_code)]
        mod __asked {
            pub trait Sent {
                type Itself;
            }
            impl<T: ::core::marker::Send + 'static> Sent for T {
                type Itself = T;
            }

            pub trait Kept {
                type Itself;
            }
            impl<T: ::core::clone::Clone + ::core::marker::Send + 'static> Kept for T {
                type Itself = T;
            }

            #[diagnostic::on_unimplemented(
                message = "`{Self}` cannot be the error of a constructor",
                label = "must become a `Box<dyn Error + Send + Sync>`",
                note = "implement `std::error::Error` for it, or use `String`"
            )]
            pub trait ConstructorError {}
            #[diagnostic::do_not_recommend]
            impl<T: ::core::convert::Into<::concurry::__private::BoxError>> ConstructorError for T {}
            pub fn is_constructor_error<T: ConstructorError>() {}

            #[diagnostic::on_unimplemented(
                message = "the worker `{Self}` has no constructor",
                label = "neither `new` in this block nor `Default`",
                note = "write `pub fn new(…) -> Self` here, or derive `Default` for the struct, below `#[worker]`"
            )]
            pub trait Made {
                fn made() -> Self;
            }
            #[diagnostic::do_not_recommend]
            impl<T: ::core::default::Default> Made for T {
                fn made() -> T {
                    ::core::default::Default::default()
                }
            }
        }
        #constructor_error
    }
}
