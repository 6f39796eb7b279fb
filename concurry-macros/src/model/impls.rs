//! The `impl` block: its constructor and its methods.

use syn::{Ident, ImplItem, ImplItemFn, ItemImpl, Type, TypePath, Visibility};

use super::{Constructor, Method};
use crate::errors::Errors;

/// The `impl` block of a worker.
pub(crate) struct WorkerImpl {
    pub(crate) item: ItemImpl,
    pub(crate) worker: Ident,
    pub(crate) constructor: Constructor,
    pub(crate) methods: Vec<Method>,
}

impl WorkerImpl {
    /// `None` when the block is not that of a type at all.
    pub(crate) fn new(item: ItemImpl, errors: &mut Errors) -> Option<Self> {
        if let Some((path, _)) = &item.trait_ {
            errors.at(path, "#[worker] goes on an inherent `impl` block, not on that of a trait");
            return None;
        }
        let worker = match &*item.self_ty {
            Type::Path(TypePath { qself: None, path, .. }) if path.get_ident().is_some() => {
                path.get_ident()?.clone()
            }
            other => {
                errors.at(
                    other,
                    "#[worker] goes on the `impl` block of a struct that is named without path or generics",
                );
                return None;
            }
        };
        if !item.generics.params.is_empty() {
            errors.at(&item.generics, "a worker cannot be generic");
            return None;
        }
        let mut model = Self { item, worker, constructor: Constructor::default(), methods: Vec::new() };
        model.read_items(errors);
        Some(model)
    }

    fn read_items(&mut self, errors: &mut Errors) {
        let mut has_constructor = false;
        for function in functions(&self.item) {
            let name = &function.sig.ident;
            if name == "options" {
                errors.at(name, "`options` is made by #[worker]: give this function another name");
            } else if name == "new" {
                if has_constructor {
                    errors.at(name, "a worker has one constructor: this is the second `new`");
                    continue;
                }
                has_constructor = true;
                if let Some(constructor) = Constructor::new(function, &self.worker, errors) {
                    self.constructor = constructor;
                }
            } else if !matches!(function.vis, Visibility::Inherited)
                && function.sig.receiver().is_some()
                && let Some(method) = Method::new(function, &self.worker, errors)
            {
                self.methods.push(method);
            }
        }
    }
}

fn functions(item: &ItemImpl) -> impl Iterator<Item = &ImplItemFn> {
    item.items.iter().filter_map(|item| match item {
        ImplItem::Fn(function) => Some(function),
        _ => None,
    })
}
