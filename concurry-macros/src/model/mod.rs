//! What an item says, in our terms.
//!
//! * `structs`: the struct that becomes a worker.
//! * `impls`: the `impl` block: its constructor and its methods.
//! * `method`: one method of the handle.
//! * `limited`: the `#[limited(…)]` of a method.
//! * `attributes`: what of a method's attributes holds for the handle as well.
//! * `retry`: the `#[retry(…)]` of a method.
//! * `constructor`: `new`.
//! * `task`: a function that becomes a worker with one method.
//! * `types`: what types may stand in a signature.
//!
//! A mistake is noted at the user's tokens, and what is wrong is left out of the model, so that the rest is still checked
//! and emitted: one mistake shows as one error.

mod attributes;
mod constructor;
mod impls;
mod limited;
mod method;
mod retry;
mod structs;
mod task;
mod types;

pub(crate) use constructor::{Constructor, Made};
pub(crate) use impls::{Block, WorkerImpl};
pub(crate) use limited::LimitedArgs;
pub(crate) use method::{Injected, Method, Returns, Stub};
pub(crate) use retry::RetryArgs;
pub(crate) use structs::{WorkerStruct, handle_name};
pub(crate) use task::{TaskFn, TaskKind};
pub(crate) use types::{bare, bare_expr, has_reference, is_same, may_borrow};
