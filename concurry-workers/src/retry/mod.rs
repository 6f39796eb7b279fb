//! Calls that are tried again.
//!
//! A call with a retry is a chain of calls: the caller holds the outer one, and each attempt is an inner one with a message
//! and a promise of its own, which any mode's runtime runs like every other call. When an inner call is done, on whatever
//! thread, it is decided here whether the outer one is answered, or another attempt is put into the pool's queue. So all
//! modes are alike, the predicates run in the process of the caller, and a call without a retry pays one look at an option.
//!
//! * [`rules`](MethodRetry): what each method of a pool has for a retry, found out by `init`.
//! * [`predicates`](Predicates): the user's functions, and calling them safely.
//! * `decide`: from the end of an attempt to what is next.
//! * [`retried`](Recipe): the call that is tried again.

mod decide;
mod predicates;
mod retried;
mod rules;

pub use predicates::{Ask, Predicates, ask, ask_one, ask_two};
pub(crate) use retried::submit;
pub use retried::{Attempts, NoAttempts, Recipe, SubmitsAttempts};
pub use rules::MethodRetry;
pub(crate) use rules::{Rules, rules};
