//! What the end of one call means for the next, one step after the other instead of one inside of the other.
//!
//! The outermost step of a thread runs all that come meanwhile, so a chain of any length needs no more stack than one of
//! two. Who waits for a call from within a step runs first what waits for that step (`park`).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use crate::panics::contain;

type Step = Box<dyn FnOnce()>;

thread_local! {
    static RUNS: Cell<bool> = const { Cell::new(false) };
    static STEPS: RefCell<VecDeque<Step>> = const { RefCell::new(VecDeque::new()) };
}

/// Runs `step` now, or, from within another one, after that.
pub(super) fn run(step: impl FnOnce() + 'static) {
    if RUNS.replace(true) {
        later(Box::new(step));
    } else {
        contain("a step of a chain of calls", step);
        catch_up();
        RUNS.set(false);
    }
}

fn later(step: Step) {
    let mut step = Some(step);
    let queued = STEPS.try_with(|steps| steps.borrow_mut().extend(step.take()));
    // A thread that is being torn down has no thread-local left.
    if let (Err(_), Some(step)) = (queued, step) {
        contain("a step of a chain of calls", step);
    }
}

/// Runs the steps that wait on this thread; whether there were any.
pub(crate) fn catch_up() -> bool {
    let mut ran = false;
    while let Ok(Some(step)) = STEPS.try_with(|steps| steps.borrow_mut().pop_front()) {
        contain("a step of a chain of calls", step);
        ran = true;
    }
    ran
}
