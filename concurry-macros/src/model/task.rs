//! A function that becomes a task: a worker with one method, `call`, that calls it.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{
    Attribute, FnArg, Ident, ImplItemFn, ItemFn, Pat, PatType, Safety, Signature, Type, Visibility,
    parse_quote,
};

use super::attributes;
use super::limited::is_limited;
use super::method::Injected;
use super::retry::is_retry;
use super::types::{bare, check_owned, check_returned, check_unconditional};
use crate::errors::Errors;

/// A function that becomes a task.
pub(crate) struct TaskFn {
    /// The user's own, which stays a function.
    pub(crate) function: ItemFn,
    /// Its name, for a type that stands beside it: in the place of the user's, where no lint of theirs fires.
    pub(crate) name: Ident,
    pub(crate) kind: TaskKind,
}

/// What can be made of it.
pub(crate) enum TaskKind {
    /// The method that calls it.
    Task(Box<ImplItemFn>),
    /// It has mistakes: a type, to stand for what is made of it.
    Mistake(TokenStream),
    /// It is a method, beside which no type can stand: the mistake.
    Method(TokenStream),
}

impl TaskFn {
    pub(crate) fn new(mut function: ItemFn) -> Self {
        let mut name = function.sig.ident.clone();
        name.set_span(Span::mixed_site().located_at(name.span()));
        let mut errors = Errors::default();
        if let Some(receiver) = function.sig.receiver() {
            errors.at(
                receiver,
                "#[task] goes on a free function; for methods, put #[worker] on the struct and its `impl` block",
            );
            return Self { function, name, kind: TaskKind::Method(errors.into_tokens()) };
        }
        check_signature(&function, &mut errors);
        attributes::strip_conditional(&mut function.attrs, &mut errors);
        let arguments = Arguments::new(&function.sig, &mut errors);
        let kind = match errors.into_type() {
            Some(mistake) => TaskKind::Mistake(mistake),
            None => TaskKind::Task(Box::new(call_method(&function, &arguments))),
        };
        function.attrs.retain(|attribute| !is_retry(attribute) && !is_limited(attribute));
        Self { function, name, kind }
    }
}

/// Notes what no task can be.
fn check_signature(function: &ItemFn, errors: &mut Errors) {
    let signature = &function.sig;
    if let Some(token) = &signature.constness {
        errors.at(token, "a task cannot be const: its calls run elsewhere, and later");
    }
    if let Safety::Unsafe(token) = &signature.safety {
        errors.at(token, "a task cannot be unsafe: nobody could keep its promise from elsewhere");
    }
    if let Some(abi) = &signature.abi {
        errors.at(abi, "a task is a function of Rust, not of another language: call that one from it");
    }
    if !signature.generics.params.is_empty() {
        errors.at(
            &signature.generics,
            "a task cannot be generic: it travels to other processes by its name; take concrete types",
        );
    }
    check_returned(&signature.output, "the result of a task", errors);
}

/// The arguments of the function, and of the method that calls it.
#[derive(Default)]
struct Arguments {
    /// Those of the method.
    parameters: Vec<TokenStream>,
    /// What the function is called with.
    values: Vec<TokenStream>,
}

impl Arguments {
    fn new(signature: &Signature, errors: &mut Errors) -> Self {
        const ROLE: &str = "an argument of a task";
        let mut arguments = Self::default();
        let mut has_limits = false;
        for (index, input) in signature.inputs.iter().enumerate() {
            let FnArg::Typed(input) = input else { continue };
            check_unconditional(&input.attrs, ROLE, errors);
            if is_limits(&input.ty) {
                if has_limits {
                    errors.at(&input.ty, "a task is given its limits once: this is the second `&LimitPool`");
                }
                has_limits = true;
                arguments.values.push(quote!(&self.limits));
                continue;
            }
            // A generic function is one mistake, whatever else its arguments are.
            // What a method is given beside its arguments, the method that is made sees to.
            if signature.generics.params.is_empty() && Injected::of(&input.ty).is_none() {
                check_argument(input, ROLE, errors);
            }
            let (name, ty) = (name(input, index, &signature.ident), &input.ty);
            arguments.parameters.push(quote!(#name: #ty));
            arguments.values.push(name.into_token_stream());
        }
        arguments
    }
}

fn check_argument(input: &PatType, role: &str, errors: &mut Errors) {
    match bare(&input.ty) {
        Type::Reference(reference) if reference.mutability.is_some() && names_limits(&reference.elem) => {
            errors.at(reference, "a task is given its limits as `&LimitPool`");
        }
        ty => check_owned(ty, role, errors),
    }
}

/// The name of an argument; a pattern that is no name gets one, and so does a name that would hide the function's.
fn name(input: &PatType, index: usize, function: &Ident) -> Ident {
    match &*input.pat {
        Pat::Ident(pattern) if pattern.ident != *function => pattern.ident.clone(),
        _ => format_ident!("argument_{index}", span = Span::mixed_site()),
    }
}

/// Whether a type is `&LimitPool`, by whatever path.
fn is_limits(ty: &Type) -> bool {
    matches!(bare(ty), Type::Reference(reference) if reference.mutability.is_none() && names_limits(&reference.elem))
}

fn names_limits(ty: &Type) -> bool {
    matches!(bare(ty), Type::Path(ty) if ty.path.segments.last().is_some_and(|last| last.ident == "LimitPool"))
}

/// The method that calls the function.
fn call_method(function: &ItemFn, Arguments { parameters, values }: &Arguments) -> ImplItemFn {
    let Signature { ident, asyncness, output, .. } = &function.sig;
    // A method of the handle must not be private; this is as visible as a private function.
    let visibility = match &function.vis {
        Visibility::Inherited => parse_quote!(pub(self)),
        visible => visible.clone(),
    };
    let is_kept = |attribute: &&Attribute| {
        is_retry(attribute)
            || is_limited(attribute)
            || ["doc", "deprecated"].iter().any(|name| attribute.path().is_ident(name))
    };
    let attributes = function.attrs.iter().filter(is_kept);
    let is_documented = function.attrs.iter().any(|attribute| attribute.path().is_ident("doc"));
    let summary = (!is_documented).then(|| {
        let summary = format!("Submits a call of `{ident}`.");
        quote!(#[doc = #summary])
    });
    let wait = asyncness.map(|_| quote!(.await));
    let call = Ident::new("call", Span::mixed_site().located_at(ident.span()));
    parse_quote! {
        #(#attributes)*
        #summary
        #visibility #asyncness fn #call(&self #(, #parameters)*) #output {
            #ident(#(#values),*) #wait
        }
    }
}
