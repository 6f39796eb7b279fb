//! What stands in the attribute.

use proc_macro2::TokenStream;
use syn::Ident;
use syn::parse::Parser;
use syn::punctuated::Punctuated;

use crate::errors::Errors;

/// The arguments of `#[worker(…)]` and `#[task(…)]`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Args {
    /// The word `process`: arguments and results must be able to travel.
    pub(crate) process: Option<Ident>,
}

impl Args {
    /// Reads them; what is unknown is a mistake at its own place.
    pub(crate) fn parse(attribute: &str, tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        match Punctuated::<Ident, syn::Token![,]>::parse_terminated.parse2(tokens.clone()) {
            Ok(words) => {
                for word in words {
                    if word == "process" {
                        args.process = Some(word);
                    } else {
                        errors.at(
                            &word,
                            format!("unknown option `{word}` of {attribute}: the only one is `process`"),
                        );
                    }
                }
            }
            Err(_) => errors.at(
                &tokens,
                format!("`{tokens}` is no option of {attribute}: the only one is the word `process`"),
            ),
        }
        args
    }
}
