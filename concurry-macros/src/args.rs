//! What stands in the attribute.

use proc_macro2::TokenStream;
use syn::Ident;
use syn::parse::Parser;
use syn::punctuated::Punctuated;

use crate::errors::Errors;

/// The arguments of `#[worker(…)]`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Args {
    /// Arguments and results must be able to travel.
    pub(crate) process: bool,
}

impl Args {
    /// Reads them; what is unknown is a mistake at its own place.
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        match Punctuated::<Ident, syn::Token![,]>::parse_terminated.parse2(tokens) {
            Ok(words) => {
                for word in words {
                    if word == "process" {
                        args.process = true;
                    } else {
                        errors.at(
                            &word,
                            format!("unknown option `{word}` of #[worker]: the only one is `process`"),
                        );
                    }
                }
            }
            Err(error) => errors.add(error),
        }
        args
    }
}
