//! What types may stand in a signature.

use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{
    GenericArgument, Ident, Lifetime, PathArguments, Type, TypeImplTrait, TypeInfer, TypePath, TypeReference,
};

use crate::errors::Errors;

/// Notes what cannot be owned by a call: borrows, `impl Trait`, lifetimes. True when there is nothing.
pub(super) fn check_owned(ty: &Type, role: &str, errors: &mut Errors) -> bool {
    let mut check = Check { role, errors, fine: true };
    check.visit_type(ty);
    check.fine
}

struct Check<'a> {
    role: &'a str,
    errors: &'a mut Errors,
    fine: bool,
}

impl Check<'_> {
    fn mistake(&mut self, place: impl ToTokens, message: String) {
        self.fine = false;
        self.errors.at(place, message);
    }
}

impl<'ast> Visit<'ast> for Check<'_> {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        if reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static")
            && reference.mutability.is_none()
        {
            return;
        }
        self.mistake(
            reference,
            format!(
                "{} must be an owned type, since the worker runs elsewhere: {}",
                self.role,
                instead(&reference.elem)
            ),
        );
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident != "static" {
            self.mistake(
                lifetime,
                format!("{} must be an owned type, since the worker runs elsewhere", self.role),
            );
        }
    }

    fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
        self.mistake(ty, format!("{} must be a concrete type: name it, or use a Box<dyn …>", self.role));
    }

    fn visit_type_infer(&mut self, ty: &'ast TypeInfer) {
        self.mistake(ty, format!("{} must be a concrete type", self.role));
    }

    // The arguments of a function pointer or of `dyn Fn(&str)` may borrow: they bind their own lifetimes.
    fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments(&mut self, _: &'ast syn::ParenthesizedGenericArguments) {}
}

/// What to write in the place of a borrow.
fn instead(referent: &Type) -> String {
    let name = referent.to_token_stream().to_string();
    match (referent, name.as_str()) {
        (_, "str") => "use String".to_owned(),
        (_, "Path") => "use PathBuf".to_owned(),
        (Type::Slice(slice), _) => format!("use Vec<{}>", slice.elem.to_token_stream()),
        _ => format!("use {name} or Arc<{name}>"),
    }
}

/// `Self` in a signature means the worker; outside of its `impl` block it must be named.
pub(super) fn without_self(mut ty: Type, worker: &Ident) -> Type {
    struct Name<'a>(&'a Ident);
    impl VisitMut for Name<'_> {
        fn visit_ident_mut(&mut self, ident: &mut Ident) {
            if ident == "Self" {
                *ident = Ident::new(&self.0.to_string(), ident.span());
            }
        }
    }
    visit_mut::visit_type_mut(&mut Name(worker), &mut ty);
    ty
}

/// The types of a `Result<T, E>`: `Some((ok, err))` when both are written, `Some` of nothing for an alias such as
/// `io::Result<T>`, `None` when the type is not named like a result.
pub(super) enum ResultShape<'a> {
    Both(&'a Type, &'a Type),
    Alias,
    None,
}

pub(super) fn result_shape(ty: &Type) -> ResultShape<'_> {
    let Type::Path(TypePath { qself: None, path, .. }) = ty else { return ResultShape::None };
    let Some(last) = path.segments.last() else { return ResultShape::None };
    if !last.ident.to_string().ends_with("Result") {
        return ResultShape::None;
    }
    if last.ident == "Result"
        && let PathArguments::AngleBracketed(arguments) = &last.arguments
    {
        let types: Vec<&Type> = arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
            .collect();
        if let [ok, err] = types[..] {
            return ResultShape::Both(ok, err);
        }
    }
    ResultShape::Alias
}

/// Whether a type is `Self` or the worker's own name.
pub(super) fn is_worker(ty: &Type, worker: &Ident) -> bool {
    matches!(ty, Type::Path(TypePath { qself: None, path, .. })
        if path.is_ident("Self") || path.is_ident(worker))
}

/// Whether `worker` or `Self` stands anywhere in a type.
pub(super) fn names_worker(ty: &Type, worker: &Ident) -> bool {
    struct Find<'a>(&'a Ident, bool);
    impl<'ast> Visit<'ast> for Find<'_> {
        fn visit_ident(&mut self, ident: &'ast Ident) {
            self.1 |= ident == "Self" || ident == self.0;
        }
    }
    let mut find = Find(worker, false);
    visit::visit_type(&mut find, ty);
    find.1
}
