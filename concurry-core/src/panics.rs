//! Catching panics of user code, with their message and place. Shared by the crates of concurry; no part of its interface.
//!
//! A panic hook, put before the one that is there, notes the place of a panic for the thread that catches it; the hook
//! that was there still runs, so panics are printed as ever.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::call::Panicked;

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `body`; a panic in it becomes an error that knows message and place.
///
/// # Errors
///
/// The panic. What it left half done must not be seen again: the caller sees to that.
pub fn catch<R>(body: impl FnOnce() -> R) -> Result<R, Panicked> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if CATCHING.try_with(Cell::get).unwrap_or(false) {
                let place = info.location().map(ToString::to_string);
                PLACE.with(|slot| *slot.borrow_mut() = place);
            }
            before(info);
        }));
    });
    let outer = CATCHING.replace(true);
    let result = catch_unwind(AssertUnwindSafe(body));
    CATCHING.set(outer);
    result.map_err(|payload| Panicked::new(message(&*payload), PLACE.take()))
}

fn message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&'static str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is no text".to_owned())
}
