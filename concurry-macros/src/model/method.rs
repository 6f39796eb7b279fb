//! One method of the handle.

use proc_macro2::{Span, TokenStream};
use quote::format_ident;
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{
    Attribute, FnArg, Ident, ImplItemFn, Pat, PatIdent, Path, Receiver, ReceiverKind, ReturnType, Safety,
    Type, Visibility,
};

use super::limited::is_limited;
use super::types::{
    ResultShape, bare, check_owned, check_returned, check_unconditional, is_worker, result_shape,
    without_self,
};
use super::{LimitedArgs, RetryArgs, attributes};
use crate::errors::Errors;

/// Arguments travel as one tuple, and serde knows tuples up to a length.
const MOST_ARGUMENTS: usize = 16;

/// A method that the handle has as well.
pub(crate) struct Method {
    pub(crate) name: Ident,
    pub(crate) visibility: Visibility,
    /// Documentation and conditional compilation, carried over.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) names: Vec<Ident>,
    pub(crate) types: Vec<Type>,
    pub(crate) returns: Returns,
    /// `&mut self`.
    pub(crate) is_exclusive: bool,
    pub(crate) is_async: bool,
    /// What stands in its `#[retry(…)]`, if it has one.
    pub(crate) retry: Option<RetryArgs>,
    /// What stands in its `#[limited(…)]`, if it has one.
    pub(crate) limited: Option<LimitedArgs>,
    /// What it is given beside its arguments, each before the argument of that place.
    pub(crate) injected: Vec<(usize, Injected)>,
}

/// What a method is given that its callers do not know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Injected {
    /// What was acquired for its call.
    Acquired,
    /// Whether its call was cancelled.
    Cancellation,
}

impl Injected {
    /// What a parameter of this type is given.
    pub(super) fn of(ty: &Type) -> Option<Self> {
        let Type::Reference(reference) = bare(ty) else { return None };
        let Type::Path(path) = bare(&reference.elem) else { return None };
        match path.path.segments.last()? {
            last if last.ident == "LimitSetAcquisition" => Some(Self::Acquired),
            last if last.ident == "Cancellation" => Some(Self::Cancellation),
            _ => None,
        }
    }

    fn is_second(self) -> &'static str {
        match self {
            Self::Acquired => "a call has one acquisition: take it in one parameter",
            Self::Cancellation => "a call is cancelled once: take its `&Cancellation` in one parameter",
        }
    }
}

/// What stands on the handle for a method with mistakes, so that its callers add no errors of their own.
pub(crate) struct Stub {
    pub(crate) name: Ident,
    pub(crate) visibility: Visibility,
    pub(crate) attributes: Vec<Attribute>,
    /// How many arguments it has.
    pub(crate) arity: usize,
    /// The mistakes, as a type.
    pub(crate) mistake: TokenStream,
}

/// What a method returns.
pub(crate) enum Returns {
    /// A plain value: the call cannot fail by itself.
    Plain(Type),
    /// A result with both types written.
    Result { ok: Box<Type>, err: Box<Type> },
    /// A result by another name, or a plain value: its type is asked.
    Asked(Type),
}

impl Returns {
    fn of(output: &ReturnType, worker: &Path) -> Self {
        let ReturnType::Type(_, ty) = output else { return Self::Plain(syn::parse_quote!(())) };
        let ty = without_self((**ty).clone(), worker);
        match result_shape(&ty) {
            ResultShape::Both(ok, err) => {
                Self::Result { ok: Box::new(ok.clone()), err: Box::new(err.clone()) }
            }
            ResultShape::Unknown => Self::Asked(ty),
            ResultShape::None => Self::Plain(ty),
        }
    }

    /// The types that must be able to travel, each by itself, so that an error names the right one.
    pub(crate) fn parts(&self) -> Vec<&Type> {
        match self {
            Self::Plain(ty) | Self::Asked(ty) => vec![ty],
            Self::Result { ok, err } => vec![ok, err],
        }
    }
}

impl Method {
    /// A stub with the mistakes when `function` cannot be called through a handle.
    pub(crate) fn new(function: &ImplItemFn, worker: &Path) -> Result<Self, Stub> {
        let signature = &function.sig;
        let mut errors = Errors::default();
        let is_exclusive = signature.receiver().and_then(|receiver| is_exclusive(receiver, worker));
        if is_exclusive.is_none() {
            errors.at(
                signature.receiver(),
                "a worker's method takes `&self` or `&mut self`: the worker goes on living after the call",
            );
        }
        if !signature.generics.params.is_empty() {
            errors.at(
                &signature.generics,
                "a worker's method cannot be generic: its call is a message of one type; \
                 take concrete types, or make the method private",
            );
        }
        if let Safety::Unsafe(token) = &signature.safety {
            errors.at(
                token,
                "a worker's method cannot be unsafe: nobody could keep its promise from elsewhere",
            );
        }
        let limited = LimitedArgs::of(&function.attrs, &mut errors);
        let Arguments { names, types, injected, parts } = Arguments::of(function, worker, &mut errors);
        if let Some(limited) = &limited {
            limited.check_parts(&parts.0, &mut errors);
        }
        check_injected(function, limited.is_some(), &mut errors);
        check_returned(&signature.output, "the result of a worker's method", &mut errors);
        let returns = Returns::of(&signature.output, worker);
        let can_fail = !matches!(returns, Returns::Plain(_));
        let retry = RetryArgs::of(&function.attrs, can_fail, &mut errors);
        if !errors.is_empty() {
            return Err(Stub::new(function, worker, errors));
        }
        Ok(Self {
            name: signature.ident.clone(),
            visibility: function.vis.clone(),
            attributes: attributes::carried_over(&function.attrs, worker),
            names,
            types,
            returns,
            is_exclusive: is_exclusive.unwrap_or_default(),
            is_async: signature.asyncness.is_some(),
            retry,
            limited,
            injected,
        })
    }

    /// Its name, as texts show it.
    pub(crate) fn text(&self) -> String {
        self.name.unraw().to_string()
    }

    /// What is allowed in it, for code of the user's that stands elsewhere.
    pub(crate) fn lints(&self) -> Vec<Attribute> {
        attributes::kept(&self.attributes, &["allow"])
    }

    /// What `#[cfg]` says of a method holds for all that is made of it.
    pub(crate) fn cfgs(&self) -> Vec<Attribute> {
        attributes::kept(&self.attributes, &["cfg"])
    }
}

impl Stub {
    pub(crate) fn new(function: &ImplItemFn, worker: &Path, errors: Errors) -> Self {
        Self {
            name: function.sig.ident.clone(),
            visibility: function.vis.clone(),
            attributes: attributes::carried_over(&function.attrs, worker),
            arity: function
                .sig
                .inputs
                .iter()
                .filter(|input| matches!(input, FnArg::Typed(input) if is_given(function, &input.ty)))
                .count(),
            mistake: errors.into_type().unwrap_or_default(),
        }
    }
}

/// Whether a method has its worker for itself; `None` when its receiver is neither `&self` nor `&mut self`.
fn is_exclusive(receiver: &Receiver, worker: &Path) -> Option<bool> {
    match &receiver.kind {
        ReceiverKind::Reference(_, _, mutability) => Some(mutability.is_some()),
        ReceiverKind::Typed(_, ty) => match bare(ty) {
            Type::Reference(reference) if is_worker(&reference.elem, worker) => {
                Some(reference.mutability.is_some())
            }
            _ => None,
        },
        _ => None,
    }
}

/// What a method takes.
struct Arguments {
    /// Of those that its callers give; a pattern that is no name gets one.
    names: Vec<Ident>,
    types: Vec<Type>,
    injected: Vec<(usize, Injected)>,
    parts: Parts,
}

/// The names of what patterns take apart.
#[derive(Default)]
struct Parts(Vec<Ident>);

impl<'ast> Visit<'ast> for Parts {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.0.push(pattern.ident.clone());
        visit::visit_pat_ident(self, pattern);
    }
}

impl Arguments {
    fn of(function: &ImplItemFn, worker: &Path, errors: &mut Errors) -> Self {
        const ROLE: &str = "an argument of a worker's method";
        let mut arguments =
            Self { names: Vec::new(), types: Vec::new(), injected: Vec::new(), parts: Parts::default() };
        for (index, input) in function.sig.inputs.iter().enumerate() {
            let FnArg::Typed(input) = input else { continue };
            if let Some(injected) = Injected::of(&input.ty) {
                if arguments.injected.iter().any(|(_, other)| *other == injected) {
                    errors.at(&input.ty, injected.is_second());
                }
                arguments.injected.push((arguments.names.len(), injected));
                continue;
            }
            check_unconditional(&input.attrs, ROLE, errors);
            if !is_given(function, &input.ty) {
                errors.at(
                    &input.ty,
                    "what was acquired is known by the name of its type: write `&mut LimitSetAcquisition`, not another name of it",
                );
                continue;
            }
            check_owned(&input.ty, ROLE, errors);
            arguments.names.push(match &*input.pat {
                Pat::Ident(pattern) => pattern.ident.clone(),
                pattern => {
                    arguments.parts.visit_pat(pattern);
                    format_ident!("argument_{index}", span = Span::mixed_site())
                }
            });
            arguments.types.push(without_self((*input.ty).clone(), worker));
        }
        if arguments.types.len() > MOST_ARGUMENTS {
            let message =
                format!("a worker's method has at most {MOST_ARGUMENTS} arguments: put them into a struct");
            errors.at(&function.sig.inputs, message);
        }
        arguments
    }
}

/// Whether a parameter of this type is an argument of the handle's method: not what a method is given beside those, nor what
/// was meant to be that.
fn is_given(function: &ImplItemFn, ty: &Type) -> bool {
    Injected::of(ty).is_none() && !(is_mutable(ty) && function.attrs.iter().any(is_limited))
}

fn is_mutable(ty: &Type) -> bool {
    matches!(bare(ty), Type::Reference(reference) if reference.mutability.is_some())
}

/// Whether a method can be given what it wants to be.
fn check_injected(function: &ImplItemFn, is_limited: bool, errors: &mut Errors) {
    for input in &function.sig.inputs {
        let FnArg::Typed(input) = input else { continue };
        match Injected::of(&input.ty) {
            Some(Injected::Acquired) if !is_limited => errors.at(
                &input.ty,
                "what was acquired comes to a method with #[limited(…)], which says how much: put that on it",
            ),
            Some(Injected::Cancellation) if is_mutable(&input.ty) => errors.at(
                &input.ty,
                "whether its call was cancelled is only looked at: take it as `&Cancellation`",
            ),
            Some(Injected::Cancellation) if function.sig.asyncness.is_some() => errors.at(
                &input.ty,
                "an async method is dropped when its call is cancelled, where it awaits: it need not look",
            ),
            _ => {}
        }
    }
}
