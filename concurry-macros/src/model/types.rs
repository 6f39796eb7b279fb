//! What types may stand in a signature.

use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, Expr, GenericArgument, GenericParam, Ident, Lifetime, Path, PathArguments, PathSegment,
    ReturnType, TraitBound, Type, TypeImplTrait, TypeInfer, TypeParamBound, TypePath, TypeReference,
};

use crate::errors::Errors;

/// Notes what cannot be owned by a call: borrows, `impl Trait`, lifetimes.
pub(super) fn check_owned(ty: &Type, role: &str, errors: &mut Errors) {
    Check { role, errors, bound: Vec::new() }.visit_type(ty);
}

/// Notes what a call cannot end with.
pub(super) fn check_returned(output: &ReturnType, role: &str, errors: &mut Errors) {
    let ReturnType::Type(_, ty) = output else { return };
    if let Type::Never(_) = bare(ty) {
        errors.at(
            ty,
            format!("{role} must be a value: of `!` there is none, and stable Rust knows no call of it; use Infallible"),
        );
    }
    if is_boxed_future(ty) {
        errors.at(ty, format!("{role} must be a value, not a future: {ASYNC}"));
        return;
    }
    check_owned(ty, role, errors);
}

const ASYNC: &str = "write `async fn`, and return what it gives";

/// Whether a type is written `Pin<Box<dyn Future<…>>>`.
fn is_boxed_future(ty: &Type) -> bool {
    struct Find(bool);
    impl<'ast> Visit<'ast> for Find {
        fn visit_trait_bound(&mut self, bound: &'ast TraitBound) {
            self.0 |= bound.path.segments.last().is_some_and(|last| last.ident == "Future");
        }
    }
    let is_pin = matches!(bare(ty), Type::Path(TypePath { path, .. })
        if path.segments.last().is_some_and(|last| last.ident == "Pin"));
    let mut find = Find(false);
    find.visit_type(ty);
    is_pin && find.0
}

/// A type without what is put around it where it comes from a fragment of a `macro_rules!` macro, or by hand.
pub(crate) fn bare(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            ty => return ty,
        };
    }
}

/// As [`bare`], of an expression.
pub(crate) fn bare_expr(mut expression: &Expr) -> &Expr {
    loop {
        expression = match expression {
            Expr::Group(group) => &group.expr,
            Expr::Paren(paren) => &paren.expr,
            expression => return expression,
        };
    }
}

/// Whether a reference stands in a type, or a lifetime, which can only be `'static`. Whether serde's traits hold for such a type
/// cannot be asked: the answer depends on the lifetime, and comes as an error. A `Cow` is known to travel.
pub(crate) fn may_borrow(ty: &Type) -> bool {
    struct Find(bool);
    impl<'ast> Visit<'ast> for Find {
        fn visit_lifetime(&mut self, _: &'ast Lifetime) {
            self.0 = true;
        }

        fn visit_type_reference(&mut self, _: &'ast TypeReference) {
            self.0 = true;
        }

        fn visit_path_segment(&mut self, segment: &'ast PathSegment) {
            match &segment.arguments {
                PathArguments::AngleBracketed(arguments) if segment.ident == "Cow" => {
                    let is_lifetime =
                        |argument: &&GenericArgument| matches!(argument, GenericArgument::Lifetime(_));
                    let others = arguments.args.iter().filter(|argument| !is_lifetime(argument));
                    others.for_each(|argument| self.visit_generic_argument(argument));
                }
                _ => visit::visit_path_segment(self, segment),
            }
        }
    }
    let mut find = Find(false);
    find.visit_type(ty);
    find.0
}

/// Whether a reference stands in a type: a `&'static` one, which never travels.
pub(crate) fn has_reference(ty: &Type) -> bool {
    struct Find(bool);
    impl<'ast> Visit<'ast> for Find {
        fn visit_type_reference(&mut self, _: &'ast TypeReference) {
            self.0 = true;
        }
    }
    let mut find = Find(false);
    find.visit_type(ty);
    find.0
}

/// Notes a `#[cfg]` on what all that is emitted depends on.
pub(super) fn check_unconditional(attributes: &[Attribute], role: &str, errors: &mut Errors) {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")) {
        errors.at(
            attribute,
            format!("{role} cannot depend on a `cfg`: put it on a statement inside, or on the whole block"),
        );
    }
}

struct Check<'a> {
    role: &'a str,
    errors: &'a mut Errors,
    /// The lifetimes that `for<'a>` binds where it is looked.
    bound: Vec<Ident>,
}

impl Check<'_> {
    /// Whether a lifetime is nobody's from outside of the type.
    fn is_free(&self, lifetime: &Lifetime) -> bool {
        lifetime.ident == "static" || self.bound.contains(&lifetime.ident)
    }

    fn mistake(&mut self, place: impl ToTokens, message: String) {
        self.errors.at(place, message);
    }
}

impl<'ast> Visit<'ast> for Check<'_> {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        if reference.lifetime.as_ref().is_some_and(|lifetime| self.is_free(lifetime))
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
        if !self.is_free(lifetime) {
            self.mistake(
                lifetime,
                format!("{} must be an owned type, since the worker runs elsewhere", self.role),
            );
        }
    }

    fn visit_trait_bound(&mut self, bound: &'ast TraitBound) {
        let outer = self.bound.len();
        for parameter in bound.lifetimes.iter().flat_map(|bound| &bound.lifetimes) {
            if let GenericParam::Lifetime(parameter) = parameter {
                self.bound.push(parameter.lifetime.ident.clone());
            }
        }
        visit::visit_path(self, &bound.path);
        self.bound.truncate(outer);
    }

    fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
        let is_future = |bound: &TypeParamBound| {
            matches!(bound, TypeParamBound::Trait(bound)
                if bound.path.segments.last().is_some_and(|last| last.ident == "Future"))
        };
        if ty.bounds.iter().any(is_future) {
            return self.mistake(ty, format!("{} must be a value, not a future: {ASYNC}", self.role));
        }
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
    match (bare(referent), name.as_str()) {
        (_, "str") => "use String".to_owned(),
        (_, "Path") => "use PathBuf".to_owned(),
        (Type::Slice(slice), _) => format!("use Vec<{}>", slice.elem.to_token_stream()),
        _ => format!("use {name} or Arc<{name}>"),
    }
}

/// `Self` in a signature means the worker; outside of its `impl` block it must be named.
pub(super) fn without_self(mut ty: Type, worker: &Path) -> Type {
    struct Name<'a>(&'a Path);
    impl VisitMut for Name<'_> {
        fn visit_path_mut(&mut self, path: &mut Path) {
            if let Some(first) = path.segments.first()
                && first.ident == "Self"
            {
                let span = first.ident.span();
                let mut named = self.0.clone();
                for segment in &mut named.segments {
                    segment.ident.set_span(span);
                }
                named.segments.extend(path.segments.iter().skip(1).cloned());
                *path = named;
            }
            visit_mut::visit_path_mut(self, path);
        }
    }
    visit_mut::visit_type_mut(&mut Name(worker), &mut ty);
    ty
}

/// What can be seen of a type that may be a `Result`.
pub(super) enum ResultShape<'a> {
    /// One with both types written.
    Both(&'a Type, &'a Type),
    /// An alias, as `io::Result<T>` is one, or no result, as `QueryResult` may be: the compiler knows.
    Unknown,
    /// None, as it is written.
    None,
}

/// Types of one word that everybody knows.
const KNOWN: &[&str] = &[
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64",
    "u128", "usize", "Arc", "Box", "Option", "String", "Vec",
];

pub(super) fn result_shape(ty: &Type) -> ResultShape<'_> {
    let path = match bare(ty) {
        Type::Path(TypePath { qself: None, path, .. }) => path,
        Type::Path(_) | Type::Macro(_) => return ResultShape::Unknown,
        _ => return ResultShape::None,
    };
    let Some(last) = path.segments.last() else { return ResultShape::None };
    if path.segments.len() == 1 && KNOWN.iter().any(|known| last.ident == known) {
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
    ResultShape::Unknown
}

/// Whether a type is `Self` or the worker's own name.
pub(super) fn is_worker(ty: &Type, worker: &Path) -> bool {
    matches!(bare(ty), Type::Path(TypePath { qself: None, path, .. }) if path.is_ident("Self") || is_same(path, worker))
}

/// Whether two paths are written alike; paths of workers have no arguments.
pub(crate) fn is_same(path: &Path, other: &Path) -> bool {
    path.leading_colon.is_some() == other.leading_colon.is_some()
        && path.segments.len() == other.segments.len()
        && path
            .segments
            .iter()
            .zip(&other.segments)
            .all(|(one, other)| one.arguments.is_none() && one.ident == other.ident)
}

/// Whether `worker` or `Self` stands anywhere in a type.
pub(super) fn names_worker(ty: &Type, worker: &Path) -> bool {
    struct Find<'a>(Option<&'a Ident>, bool);
    impl<'ast> Visit<'ast> for Find<'_> {
        fn visit_ident(&mut self, ident: &'ast Ident) {
            self.1 |= ident == "Self" || Some(ident) == self.0;
        }
    }
    let mut find = Find(worker.segments.last().map(|segment| &segment.ident), false);
    visit::visit_type(&mut find, ty);
    find.1
}
