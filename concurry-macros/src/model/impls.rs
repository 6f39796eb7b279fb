//! The `impl` block: its constructor and its methods.

use quote::format_ident;
use syn::{Attribute, Ident, ImplItem, ImplItemFn, ItemImpl, Path, Type, TypePath, Visibility};

use super::limited::is_limited;
use super::retry::is_retry;
use super::types::bare;
use super::{Constructor, Method, Stub, attributes, handle_name};
use crate::errors::Errors;

/// The `impl` block of a worker.
pub(crate) struct WorkerImpl {
    pub(crate) item: ItemImpl,
    /// The struct, as the block names it.
    pub(crate) worker: Path,
    pub(crate) constructor: Constructor,
    pub(crate) methods: Vec<Method>,
    /// What stands on the handle in the place of methods with mistakes.
    pub(crate) stubs: Vec<Stub>,
}

/// What an `impl` block is.
pub(crate) enum Block {
    /// That of a worker.
    Worker(Box<WorkerImpl>),
    /// That of a generic struct, which is a mistake of the struct.
    Generic(ItemImpl),
    /// That of a trait, of which only the literals are ours.
    Trait(ItemImpl),
    /// Another one, which was noted.
    Other(ItemImpl),
}

impl Block {
    pub(crate) fn new(item: ItemImpl, errors: &mut Errors) -> Self {
        if item.trait_.is_some() {
            return Self::Trait(item);
        }
        let Type::Path(TypePath { qself: None, path, .. }) = bare(&item.self_ty) else {
            errors.at(&item.self_ty, "#[worker] goes on the `impl` block of a struct");
            return Self::Other(item);
        };
        let has_arguments = path.segments.iter().any(|segment| !segment.arguments.is_none());
        if has_arguments || !item.generics.params.is_empty() {
            return Self::Generic(item);
        }
        Self::Worker(Box::new(WorkerImpl::new(path.clone(), item, errors)))
    }
}

impl WorkerImpl {
    fn new(worker: Path, item: ItemImpl, errors: &mut Errors) -> Self {
        let constructor = Constructor::default();
        let mut model = Self { item, worker, constructor, methods: Vec::new(), stubs: Vec::new() };
        model.read_items();
        model.strip_attributes(errors);
        model
    }

    fn read_items(&mut self) {
        let (mut misplaced, mut constant) = (Vec::new(), None);
        for (index, item) in self.item.items.iter().enumerate() {
            let ImplItem::Fn(function) = item else { continue };
            let name = &function.sig.ident;
            if name == "options" {
                misplaced.push(index);
                let mut errors = Errors::default();
                errors.at(name, "`options` is made by #[worker]: give this function another name");
                if is_for_the_handle(function) {
                    self.stubs.push(Stub::new(function, &self.worker, errors));
                } else {
                    self.constructor.mistake = errors.into_type();
                }
            } else if name == "new" && self.constructor.is_default {
                self.constructor = Constructor::new(function, &self.worker);
                constant = function.sig.constness.map(|_| index);
            } else if name == "new" {
                misplaced.push(index);
                let mut errors = Errors::default();
                errors.at(name, "a worker has one constructor: this is the second `new`");
                self.constructor.mistake = errors.into_type();
            } else if is_for_the_handle(function) {
                match Method::new(function, &self.worker) {
                    Ok(method) => self.methods.push(method),
                    Err(stub) => self.stubs.push(stub),
                }
            }
        }
        // It calls what is not const: that would be an error once more.
        if let Some(ImplItem::Fn(function)) = constant.and_then(|index| self.item.items.get_mut(index)) {
            function.sig.constness = None;
        }
        // What is there twice would be an error once more.
        for index in misplaced.into_iter().rev() {
            self.item.items.remove(index);
        }
    }

    /// Takes `#[retry]` and `#[limited]` off, which the compiler does not know; on what the handle has not, they are a
    /// mistake.
    fn strip_attributes(&mut self, errors: &mut Errors) {
        let is_ours = |attribute: &syn::Attribute| is_retry(attribute) || is_limited(attribute);
        for item in &mut self.item.items {
            let ImplItem::Fn(function) = item else { continue };
            if !is_for_the_handle(function) || function.sig.ident == "options" {
                for attribute in function.attrs.iter().filter(|attribute| is_ours(attribute)) {
                    let name = if is_retry(attribute) { "retry" } else { "limited" };
                    errors.at(
                        attribute,
                        format!(
                            "#[{name}] goes on a method of the handle: one that is `pub` and has a receiver"
                        ),
                    );
                }
            }
            function.attrs.retain(|attribute| !is_ours(attribute));
            attributes::strip_conditional(&mut function.attrs, errors);
        }
    }

    /// The struct's own name.
    pub(crate) fn name(&self) -> String {
        self.worker.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default()
    }

    /// The handle, which stands beside the struct.
    pub(crate) fn handle(&self) -> Path {
        let mut handle = self.worker.clone();
        if let Some(last) = handle.segments.last_mut() {
            last.ident = handle_name(&last.ident);
        }
        handle
    }

    /// What is allowed in the block, for what stands elsewhere of it.
    pub(crate) fn lints(&self) -> Vec<Attribute> {
        attributes::lints(&self.item.attrs)
    }

    /// The enum of its calls.
    pub(crate) fn message(&self) -> Ident {
        format_ident!("__{}Message", self.name().trim_start_matches("r#"))
    }
}

/// Whether a function is one of those that the handle gets.
fn is_for_the_handle(function: &ImplItemFn) -> bool {
    !matches!(function.vis, Visibility::Inherited) && function.sig.receiver().is_some()
}
