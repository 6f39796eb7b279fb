//! What tokio lets this thread do. It tells some of that by panicking alone.

use std::cell::{Cell, RefCell};
use std::panic::resume_unwind;

use concurry_core::panics::attempt;
use tokio::runtime::{EnterGuard, Handle, Id, RuntimeFlavor};
use tokio::task::block_in_place;

thread_local! {
    /// The runtimes that this thread belonged to when it entered another one here.
    static BELOW: RefCell<Vec<Option<Id>>> = const { RefCell::new(Vec::new()) };
}

/// That this thread has entered a runtime, until this is dropped.
pub(super) struct Entered<'a> {
    _guard: EnterGuard<'a>,
}

/// Has this thread belong to that runtime, though it may run another one.
pub(super) fn enter(runtime: &Handle) -> Entered<'_> {
    let below = Handle::try_current().ok().map(|here| here.id());
    // A thread that is being torn down runs none.
    BELOW.try_with(|stack| stack.borrow_mut().push(below)).unwrap_or_default();
    Entered { _guard: runtime.enter() }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let leave = |stack: &RefCell<Vec<_>>| {
            stack.borrow_mut().pop();
        };
        BELOW.try_with(leave).unwrap_or_default();
    }
}

/// Runs `wait`, which blocks this thread and does nothing else; where that belongs to a runtime, others go on with what it was to run.
pub(crate) fn blocking<R>(wait: impl Fn() -> R) -> R {
    if !has_threads() {
        return wait();
    }
    let has_begun = Cell::new(false);
    let done = attempt(|| {
        block_in_place(|| {
            has_begun.set(true);
            wait()
        })
    });
    match done {
        Ok(result) => result,
        Err(panic) if has_begun.get() => resume_unwind(panic),
        // Tokio refuses within a `LocalSet`, and where a runtime of one thread runs and the handle of another one was entered.
        Err(_) => wait(),
    }
}

/// Whether what this thread belongs to is a runtime of several.
pub(crate) fn has_threads() -> bool {
    Handle::try_current().is_ok_and(|here| here.runtime_flavor() == RuntimeFlavor::MultiThread)
}

/// Whether nobody but this thread runs what is on that runtime: it has no others, and this one runs it just now. A blocking thread of
/// that runtime, or one that has entered it, does not.
pub(crate) fn is_run_by_this_thread(runtime: &Handle) -> bool {
    let is_below = || BELOW.try_with(|stack| stack.borrow().contains(&Some(runtime.id()))).unwrap_or(false);
    let is_here = || Handle::try_current().is_ok_and(|here| here.id() == runtime.id()) || is_below();
    runtime.runtime_flavor() == RuntimeFlavor::CurrentThread
        && is_here()
        && attempt(|| runtime.block_on(std::future::ready(()))).is_err()
}
