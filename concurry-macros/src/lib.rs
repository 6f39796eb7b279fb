//! `#[worker]`: turns a struct and its `impl` block into a worker. `#[task]`: turns a function into a worker with one method.
//!
//! The way: `args` (what stands in the attribute) → `model` (what the item says, in our terms; every mistake is collected
//! at the user's own tokens) → `rewrite` (the user's code, with the injected field) → `expand` (what is emitted). What can
//! be a generic function lives in concurry-workers; what is emitted here is what needs the user's concrete types.

use proc_macro::TokenStream;

mod args;
mod errors;
mod expand;
mod model;
mod rewrite;

/// Makes a worker of a struct and of the `impl` block with its constructor and methods: put it on both.
///
/// On the struct it adds the field `limits: LimitPool`. On the `impl` block, every `pub` method with a receiver becomes a
/// method of the handle `…Handle` that submits a call; `pub fn new` is the constructor. See the facade's documentation.
///
/// The handle stands beside the struct, and the `impl` block names both: where it stands in another module, that has to
/// `use super::{Llm, LlmHandle};`, or the block is one of `super::Llm`.
///
/// Literals of the worker in that block need not mention `limits`. On the `impl` block of a trait, such as a `Default` that is
/// written by hand, `#[worker]` does that, and nothing more; elsewhere, write `limits: LimitPool::default()`.
///
/// On its methods, `#[retry(…)]` says how a call is tried again, and `#[limited(tokens = amount, …)]` what it needs of the
/// limits before it is run: the amounts are expressions of the arguments, of type `u64`, in which `Self` is the worker; one
/// that panics ends the call with `CallError::Panicked`. `#[limited]` alone takes what has a default. Calls of one method are
/// admitted in their order: over several sets the first waits in the one whose turn it is, and the others behind it, unless the
/// pool's balancing is `EarliestAvailable`, which takes whichever set is the first to admit it. A parameter of type
/// `&mut LimitSetAcquisition` gets what was acquired. One of type `&Cancellation`, of a method that is not async, tells whether
/// the call was cancelled. Neither is an argument of the handle's method.
///
/// A call that ends with `Err` has failed: it is told as `CallError::Failed`, counted as failed, and tried again if there is a
/// retry. Whether a method returns a `Result` is decided by its type, not by the name: `io::Result<T>` and `type Fetched =
/// Result<Page, E>` are results, and a struct `QueryResult` is a value like any other. In the documentation of the handle an
/// alias without `Result` at the end of its name is shown as the value.
///
/// The handle is a `PoolHandle` with these methods added. One that is named as one of those, `stop`, `drain`, `stats`,
/// `workers`, `resize`, `affinity`, takes its place on the handle; the other is called as `concurry::PoolHandle::stop(&llm)`. A
/// method that is missing on the handle is most often one without `pub`; who then finds a `submit`, `retry` or `channel` with
/// other arguments has found one of those that the emitted code calls.
///
/// Of what is derived for the struct, below `#[worker]`, `Debug`, `Clone` and `Default` include `limits`; serde's traits leave
/// it out, and what is read has `LimitPool::default()`, the empty set. `PartialEq`, `Eq`, `PartialOrd`, `Ord`, `Hash` and
/// `Copy` cannot be derived, since limits have none of them.
///
/// A type with a lifetime in it, as `&'static str` or `Part<'static>` (a `Cow` apart), stays in its process: with it, `init` of
/// process mode fails. With `#[worker(process)]`, `Part<'static>` travels if it is read without borrowing. An alias hides its
/// lifetime: what `type Name = &'static str` is must be written out, or the compiler tells of a lifetime in what is emitted.
///
/// `#[worker(process)]` on the `impl` block makes it a compile error, at the type, when an argument or result cannot travel
/// to another process. Without it that is an error of `init` in process mode.
#[proc_macro_attribute]
pub fn worker(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::worker(args.into(), item.into()).into()
}

/// Makes a task of a function: `options`, as a worker has, beside the function itself. See the facade's documentation.
///
/// The task's type has the function's name, and its handle that name in camel case: that of `checksum` is `ChecksumHandle`. A
/// worker `Checksum` would have the same, so the two stand in different modules.
///
/// A parameter of type `&LimitPool` is the worker's limits, and no argument of `call`. `#[retry(…)]` below this attribute
/// says how a call is tried again. `#[task(process)]` makes it a compile error, at the type, when an argument or result
/// cannot travel to another process; without it that is an error of `init` in process mode.
#[proc_macro_attribute]
pub fn task(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::task(args.into(), item.into()).into()
}
