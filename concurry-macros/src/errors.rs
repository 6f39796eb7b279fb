//! Collecting mistakes, so that all of them show at once.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Errors(Vec<syn::Error>);

impl Errors {
    /// Adds a mistake at `place`.
    pub(crate) fn at(&mut self, place: impl ToTokens, message: impl std::fmt::Display) {
        self.add(syn::Error::new_spanned(place, message));
    }

    /// Adds an error that was made elsewhere.
    pub(crate) fn add(&mut self, error: syn::Error) {
        self.0.push(error);
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, as `compile_error!`s at their places; nothing when there are none.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0.iter().map(syn::Error::to_compile_error).collect()
    }

    /// All of them, as a type; `None` when there are none.
    ///
    /// A `compile_error!` as the length of an array shows like any other, and the compiler then knows that this type is
    /// wrong: it stays silent about whatever is done with values of it. So one mistake in a signature is one error, and not
    /// one more for each call. (In the place of the type itself, the macro would leave a `()` behind.)
    pub(crate) fn into_type(self) -> Option<TokenStream> {
        let errors: Vec<_> = self.0.iter().map(syn::Error::to_compile_error).collect();
        if errors.is_empty() { None } else { Some(quote!([(); { #(#errors;)* 0 }])) }
    }
}
