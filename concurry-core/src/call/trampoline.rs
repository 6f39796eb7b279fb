//! What the end of one call means for the next, one step after the other instead of one inside of the other.
//!
//! The outermost step of a thread runs all that come meanwhile, so a chain of any length needs no more stack than one of
//! two. Who waits for a call from within a step runs first what waits for that step (`park`). A method that is run within a
//! step knows nothing of that, and may wait for its own steps by any means: they are run as if there were no other ([`apart`]),
//! and those that were put off before it are left to whoever put them off, so that this takes no stack either.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use crate::panics::contain;

type Step = Box<dyn FnOnce()>;

thread_local! {
    static RUNS: Cell<bool> = const { Cell::new(false) };
    static STEPS: RefCell<Steps> = const { RefCell::new(Steps { waiting: VecDeque::new(), taken: 0 }) };
}

/// More room than this is not kept once it is empty.
const ROOM: usize = 64;

/// The steps that were put off, the oldest first. The place of one is its number from the first that was ever there.
struct Steps {
    waiting: VecDeque<Step>,
    /// How many were taken from the front.
    taken: usize,
}

impl Steps {
    /// The place of the next one.
    fn end(&self) -> usize {
        self.taken.wrapping_add(self.waiting.len())
    }

    /// Takes the oldest one that stands at `from` or behind it.
    fn take(&mut self, from: usize) -> Option<Step> {
        // Where that is gone by now, all that stand here came after it.
        let before = from.wrapping_sub(self.taken);
        let before = if before > usize::MAX / 2 { 0 } else { before };
        let step = self.waiting.remove(before)?;
        if before == 0 {
            self.taken = self.taken.wrapping_add(1);
        }
        if self.waiting.is_empty() && self.waiting.capacity() > ROOM {
            self.waiting = VecDeque::new();
        }
        Some(step)
    }

    /// Takes the oldest one.
    fn take_first(&mut self) -> Option<Step> {
        self.take(self.taken)
    }
}

/// That steps are run, or are not, until this is dropped; then it is as before.
struct Before(bool);

impl Drop for Before {
    fn drop(&mut self) {
        RUNS.set(self.0);
    }
}

/// Runs `step` now, or, from within another one, after that.
pub(super) fn run(step: impl FnOnce() + 'static) {
    if RUNS.get() {
        later(Box::new(step));
        return;
    }
    let _before = Before(RUNS.replace(true));
    let from = STEPS.try_with(|steps| steps.borrow().end()).unwrap_or_default();
    contain("a step of a chain of calls", step);
    run_all(|steps| steps.take(from));
}

/// Runs a method, of which each step is run when it comes, also where the method itself is run within one.
#[inline]
pub fn apart<R>(method: impl FnOnce() -> R) -> R {
    let _before = Before(RUNS.replace(false));
    method()
}

fn later(step: Step) {
    let mut step = Some(step);
    let queued = STEPS.try_with(|steps| steps.borrow_mut().waiting.extend(step.take()));
    // A thread that is being torn down has no thread-local left.
    if let (Err(_), Some(step)) = (queued, step) {
        contain("a step of a chain of calls", step);
    }
}

/// Runs the steps that wait on this thread; whether there were any.
pub(crate) fn catch_up() -> bool {
    run_all(Steps::take_first)
}

fn run_all(mut next: impl FnMut(&mut Steps) -> Option<Step>) -> bool {
    let mut ran = false;
    while let Ok(Some(step)) = STEPS.try_with(|steps| next(&mut steps.borrow_mut())) {
        contain("a step of a chain of calls", step);
        ran = true;
    }
    ran
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::rc::Rc;
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    use super::*;
    use crate::call::Call;
    use crate::clock::{self, Clock, ManualClock};

    #[test]
    fn a_method_within_a_step_has_its_own_steps_run_here_and_now() {
        let (tell, told) = mpsc::channel();
        let call: Call<u64> = Call::ended(Ok(1));
        let mapped = call.map(move |value| {
            apart(|| {
                let (inner_tell, inner_told) = mpsc::channel();
                let done: Call<u64> = Call::ended(Ok(value));
                let next = done.map(move |value| inner_tell.send(value + 1).unwrap_or_default());
                tell.send(inner_told.try_recv()).unwrap_or_default();
                next.result()
            })
        });
        assert_eq!(told.try_recv(), Ok(Ok(2)));
        mapped.result().unwrap().unwrap();
    }

    #[test]
    fn a_method_leaves_the_steps_of_others_to_them() {
        let order = Rc::new(RefCell::new(Vec::new()));
        let notes = |number: u64| {
            let order = Rc::clone(&order);
            move || order.borrow_mut().push(number)
        };
        let (first, second, inner, within, last) = (notes(1), notes(4), notes(2), notes(3), notes(5));
        run(move || {
            first();
            run(second);
            apart(|| {
                run(move || {
                    inner();
                    run(within);
                });
            });
            run(last);
        });
        assert_eq!(*order.borrow(), [1, 2, 3, 4, 5]);
        assert!(!catch_up());
    }

    #[test]
    fn who_sleeps_by_a_clock_does_first_what_this_thread_has_put_off() {
        let clocks: [Arc<dyn Clock>; 2] = [clock::system(), Arc::new(ManualClock::new())];
        for clock in clocks {
            let order = Rc::new(RefCell::new(Vec::new()));
            let (sleeps, step) = (Rc::clone(&order), Rc::clone(&order));
            run(move || {
                run(move || step.borrow_mut().push("what was put off"));
                // Nobody would wake it.
                clock.park_until(Some(clock.now() + Duration::from_secs(1_000_000)));
                sleeps.borrow_mut().push("what slept");
            });
            assert_eq!(*order.borrow(), ["what was put off", "what slept"]);
        }
    }

    #[test]
    fn what_many_steps_have_needed_is_not_kept() {
        run(|| (0..10_000).for_each(|_| run(|| ())));
        assert!(STEPS.with(|steps| steps.borrow().waiting.capacity()) <= ROOM);
    }
}
