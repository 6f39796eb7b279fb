//! The struct that becomes a worker.

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::{Fields, Ident, ItemStruct, Path, Token, Type, Visibility, parse_quote};

use crate::errors::Errors;

/// The struct that becomes a worker.
pub(crate) struct WorkerStruct {
    pub(crate) item: ItemStruct,
    /// The mistake of being generic, as a type.
    pub(crate) generic: Option<TokenStream>,
    /// serde's traits are derived for it.
    pub(crate) has_serde: bool,
}

/// What of `derive` cannot be made of the field `limits`.
const NOT_DERIVED: &[&str] = &["Copy", "PartialEq", "Eq", "PartialOrd", "Ord", "Hash"];

/// Whether serde's traits are derived. Notes what cannot be, and takes it off: it would be an error once more, of a field that
/// nobody wrote.
fn read_derives(item: &mut ItemStruct, errors: &mut Errors) -> bool {
    let mut has_serde = false;
    for attribute in item.attrs.iter_mut().filter(|attribute| attribute.path().is_ident("derive")) {
        let Ok(traits) = attribute.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated) else {
            continue;
        };
        let (mut kept, mut wrong) = (Vec::new(), Vec::new());
        for path in traits {
            let Some(name) = path.segments.last().map(|last| last.ident.to_string()) else { continue };
            has_serde |= name == "Serialize" || name == "Deserialize";
            if NOT_DERIVED.contains(&name.as_str()) { wrong.push((path, name)) } else { kept.push(path) }
        }
        if wrong.is_empty() {
            continue;
        }
        for (path, name) in wrong {
            let message = format!(
                "`{name}` cannot be derived for a worker: #[worker] adds the field `limits: LimitPool`, which has none; \
                 write it by hand, or derive it for a struct of its own that the worker holds"
            );
            errors.at(path, message);
        }
        *attribute = parse_quote!(#[derive(#(#kept),*)]);
    }
    has_serde
}

/// The name of a worker's handle. That of a task, whose name is a function's, is in camel case like any type.
pub(crate) fn handle_name(worker: &Ident) -> Ident {
    let text = worker.unraw().to_string();
    let is_function = text.starts_with(|first: char| first.is_lowercase());
    let words = text.split('_').map(|word| {
        let mut letters = word.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
    });
    let stem = if is_function { words.collect() } else { text.clone() };
    Ident::new(&format!("{stem}Handle"), worker.span())
}

impl WorkerStruct {
    pub(crate) fn new(mut item: ItemStruct, errors: &mut Errors) -> Self {
        let mut generic = Errors::default();
        if !item.generics.params.is_empty() {
            generic.at(
                &item.generics,
                "a worker cannot be generic: it travels to other processes by its name; \
                 make a type for each use, or put a Box<dyn …> in a field",
            );
        }
        match &mut item.fields {
            Fields::Named(fields) => {
                for field in &mut fields.named {
                    if field.ident.as_ref().is_some_and(|ident| ident == "limits") {
                        let mut given = Errors::default();
                        given.at(
                            &field.ident,
                            "#[worker] adds the field `limits: LimitPool` itself; remove this one or rename it",
                        );
                        field.ty = Type::Verbatim(given.into_type().unwrap_or_default());
                    }
                }
            }
            Fields::Unnamed(fields) => errors.at(
                fields,
                "a worker needs named fields, since #[worker] adds the field `limits`: write `{ name: Type }`",
            ),
            Fields::Unit => {}
        }
        let has_serde = read_derives(&mut item, errors);
        Self { item, generic: generic.into_type(), has_serde }
    }

    pub(crate) fn ident(&self) -> &Ident {
        &self.item.ident
    }

    pub(crate) fn visibility(&self) -> &Visibility {
        &self.item.vis
    }

    /// False for a tuple struct, which is a mistake.
    pub(crate) fn has_limits(&self) -> bool {
        !matches!(self.item.fields, Fields::Unnamed(_))
    }
}
