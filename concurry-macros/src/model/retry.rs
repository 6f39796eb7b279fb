//! `#[retry(…)]` on a method.

use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Ident, Lit, Meta, Token};

use super::types::bare_expr;
use crate::errors::Errors;

/// The words that take a value, and those that may stand alone.
const KNOWN: &str = "`on`, `until`, `after`, `attempts`, `wait`, `max_wait`, `algorithm`, `jitter`, `budget`, `panics` and \
                     `worker_death`";

/// What stands in `#[retry(…)]`.
#[derive(Default)]
pub(crate) struct RetryArgs {
    pub(crate) on: Option<Expr>,
    pub(crate) until: Option<Expr>,
    pub(crate) after: Option<Expr>,
    /// The fields of a `Retry` that are named, with their values.
    pub(crate) fields: Vec<(Ident, Expr)>,
    /// The variant of `RetryAlgorithm`.
    pub(crate) algorithm: Option<Ident>,
}

/// `word` or `word = value`.
struct Argument {
    word: Ident,
    value: Option<Expr>,
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let word = input.parse()?;
        let value = if input.parse::<Option<Token![=]>>()?.is_some() { Some(input.parse()?) } else { None };
        Ok(Self { word, value })
    }
}

/// Whether an attribute is ours, and not the compiler's to see.
pub(crate) fn is_retry(attribute: &Attribute) -> bool {
    attribute.path().is_ident("retry")
}

impl RetryArgs {
    /// What the attributes of a method say; `can_fail` tells whether there are errors to judge.
    pub(super) fn of(attributes: &[Attribute], can_fail: bool, errors: &mut Errors) -> Option<Self> {
        let mut found = attributes.iter().filter(|attribute| is_retry(attribute));
        let attribute = found.next()?;
        for second in found {
            errors.at(second, "a method has one #[retry]: put all of it into that");
        }
        let mut args = Self::default();
        if let Meta::Path(_) = attribute.meta {
            return Some(args);
        }
        match attribute.parse_args_with(Punctuated::<Argument, Token![,]>::parse_terminated) {
            Ok(arguments) => {
                let mut seen: Vec<String> = Vec::new();
                for argument in arguments {
                    let word = argument.word.to_string();
                    if seen.contains(&word) {
                        errors.at(&argument.word, format!("`{word}` is given twice"));
                    } else {
                        args.take(argument, can_fail, errors);
                    }
                    seen.push(word);
                }
            }
            Err(error) => errors.add(error),
        }
        Some(args)
    }

    fn take(&mut self, argument: Argument, can_fail: bool, errors: &mut Errors) {
        let Argument { word, value } = argument;
        let name = word.to_string();
        let value = match (name.as_str(), value) {
            ("panics" | "worker_death", None) => syn::parse_quote!(true),
            ("algorithm", Some(value)) => return self.take_algorithm(&value, errors),
            (_, Some(value)) => value,
            (known, None) if KNOWN.contains(&format!("`{known}`")) => {
                return errors.at(&word, format!("`{known}` needs a value: `{known} = …`"));
            }
            (_, None) => return errors.at(&word, unknown(&name)),
        };
        match name.as_str() {
            "on" | "after" if !can_fail => {
                errors.at(&word, format!("`{name}` judges errors, and this method returns no `Result`"));
            }
            "on" => self.on = Some(value),
            "until" => self.until = Some(value),
            "after" => self.after = Some(value),
            "attempts" | "jitter" => {
                check_number(&name, &value, errors);
                self.fields.push((word, value));
            }
            "wait" | "max_wait" | "budget" => {
                if matches!(bare_expr(&value), Expr::Lit(_)) {
                    errors.at(
                        &value,
                        format!("`{name}` is a `Duration`, such as `Duration::from_millis(200)`"),
                    );
                }
                self.fields.push((word, value));
            }
            "panics" | "worker_death" => self.fields.push((word, value)),
            _ => errors.at(&word, unknown(&name)),
        }
    }

    fn take_algorithm(&mut self, value: &Expr, errors: &mut Errors) {
        let name = match bare_expr(value) {
            Expr::Path(path) => path.path.segments.last().map(|segment| segment.ident.clone()),
            _ => None,
        };
        let variant = name.as_ref().and_then(|name| match name.to_string().to_lowercase().as_str() {
            "fixed" => Some("Fixed"),
            "linear" => Some("Linear"),
            "exponential" => Some("Exponential"),
            "fibonacci" => Some("Fibonacci"),
            _ => None,
        });
        match variant {
            Some(variant) => self.algorithm = Some(Ident::new(variant, proc_macro2::Span::call_site())),
            None => errors.at(value, "`algorithm` is `fixed`, `linear`, `exponential` or `fibonacci`"),
        }
    }
}

fn unknown(name: &str) -> String {
    format!("unknown option `{name}` of #[retry]: there are {KNOWN}")
}

/// What is written as a number can be checked here; all else by `init`.
fn check_number(name: &str, value: &Expr, errors: &mut Errors) {
    let number = match bare_expr(value) {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => number.base10_parse::<f64>().ok(),
            Lit::Float(number) => number.base10_parse::<f64>().ok(),
            _ => None,
        },
        Expr::Unary(negative) if matches!(negative.op, syn::UnOp::Neg(_)) => Some(-1.0),
        _ => return,
    };
    match (name, number) {
        ("attempts", Some(number)) if number < 1.0 => {
            errors.at(value, "`attempts` counts the first one as well: it is at least 1");
        }
        ("jitter", Some(number)) if !(0.0..=1.0).contains(&number) => {
            errors.at(value, "`jitter` is between 0.0 (none) and 1.0 (full)");
        }
        (_, None) => errors.at(value, format!("`{name}` is a number")),
        _ => {}
    }
}
