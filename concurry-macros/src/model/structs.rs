//! The struct that becomes a worker.

use syn::{Fields, Ident, ItemStruct, Visibility};

use crate::errors::Errors;

/// The struct that becomes a worker.
pub(crate) struct WorkerStruct {
    pub(crate) item: ItemStruct,
}

impl WorkerStruct {
    pub(crate) fn new(item: ItemStruct, errors: &mut Errors) -> Self {
        if !item.generics.params.is_empty() {
            errors.at(
                &item.generics,
                "a worker cannot be generic: it travels to other processes by its name; \
                 make a type for each use, or put a Box<dyn …> in a field",
            );
        }
        match &item.fields {
            Fields::Named(fields) => {
                for field in &fields.named {
                    if field.ident.as_ref().is_some_and(|ident| ident == "limits") {
                        errors.at(
                            &field.ident,
                            "#[worker] adds the field `limits: LimitPool` itself; remove this one or rename it",
                        );
                    }
                }
            }
            Fields::Unnamed(fields) => errors.at(
                fields,
                "a worker needs named fields, since #[worker] adds the field `limits`: write `{ name: Type }`",
            ),
            Fields::Unit => {}
        }
        Self { item }
    }

    pub(crate) fn ident(&self) -> &Ident {
        &self.item.ident
    }

    pub(crate) fn visibility(&self) -> &Visibility {
        &self.item.vis
    }
}
