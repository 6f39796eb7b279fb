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
    /// It is an array with a `compile_error!` for its length. That shows like any other, and the compiler, which then knows
    /// the type to be wrong, stays silent about whatever is done with values of it. So one mistake in a signature is one
    /// error, and not one more for each call.
    pub(crate) fn into_type(self) -> Option<TokenStream> {
        let errors: Vec<_> = self.0.iter().map(syn::Error::to_compile_error).collect();
        match &errors[..] {
            [] => None,
            [one] => Some(quote!([(); #one])),
            several => Some(quote!([(); (#(#several),*)])),
        }
    }
}
