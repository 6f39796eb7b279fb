//! Catching panics of user code, with their message and place. Shared by the crates of concurry; no part of its interface.
//!
//! A panic hook, put before the one that is there, notes the place of a panic for the thread that catches it; the hook
//! that was there still runs, so panics are printed as ever.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::mem::needs_drop;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::call::Panicked;

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
    static IS_PROBE: Cell<bool> = const { Cell::new(false) };
}

/// Put before the hook that is there.
fn add_hook() {
    static HOOK: Once = Once::new();
    // While it panics, a thread must not touch the hook; what it catches then has no place.
    if HOOK.is_completed() || std::thread::panicking() {
        return;
    }
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IS_PROBE.try_with(Cell::get).unwrap_or(false) {
                return;
            }
            if CATCHING.try_with(Cell::get).unwrap_or(false) {
                let place = info.location().map(ToString::to_string);
                // A thread that is being torn down has none left.
                PLACE.try_with(|slot| *slot.borrow_mut() = place).unwrap_or_default();
            }
            before(info);
        }));
    });
}

/// Runs `body`; a panic in it becomes an error that knows message and place.
///
/// # Errors
///
/// The panic. What it left half done must not be seen again: the caller sees to that.
pub fn catch<R>(body: impl FnOnce() -> R) -> Result<R, Panicked> {
    add_hook();
    let outer = CATCHING.replace(true);
    let result = catch_unwind(AssertUnwindSafe(body));
    CATCHING.set(outer);
    result.map_err(|payload| {
        let place = PLACE.try_with(RefCell::take).unwrap_or_default();
        let panicked = Panicked::new(message(&*payload), place);
        // What was panicked with is foreign as well.
        let mut payload = Some(payload);
        while let Some(foreign) = payload.take() {
            payload = catch_unwind(AssertUnwindSafe(|| drop(foreign))).err();
        }
        panicked
    })
}

/// Does what a library refuses by panicking: that prints nothing.
///
/// # Errors
///
/// What was panicked with.
pub fn attempt<R>(body: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    add_hook();
    let outer = IS_PROBE.replace(true);
    let done = catch_unwind(AssertUnwindSafe(body));
    IS_PROBE.set(outer);
    done
}

/// Runs foreign code whose panic is nobody's answer: it ends here, in the log, as that of `what`; `None` then.
pub fn contain<R>(what: &str, body: impl FnOnce() -> R) -> Option<R> {
    match catch(body) {
        Ok(result) => Some(result),
        Err(panic) => {
            tracing::error!(%panic, "{what} panicked; nothing else is affected");
            None
        }
    }
}

/// Runs several bodies of foreign code of which each has to run: what the first that panics panicked with goes on at the end.
#[derive(Default)]
pub struct InTurn(Option<Box<dyn Any + Send>>);

impl InTurn {
    /// Runs one of them.
    pub fn run(&mut self, body: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(body))
            && self.0.is_none()
        {
            self.0 = Some(payload);
        }
    }

    /// All have run. A thread that is panicking already goes on with that: two at once would end the process.
    pub fn end(self) {
        match self.0 {
            Some(payload) if std::thread::panicking() => {
                let panic = Panicked::new(message(&*payload), None);
                tracing::error!(%panic, "what was run beside another panic panicked too");
                discard(payload);
            }
            Some(payload) => panic::resume_unwind(payload),
            None => {}
        }
    }
}

/// Drops a foreign value; a panic in its `Drop` ends here, in the log.
pub fn discard<T>(value: T) {
    if needs_drop::<T>() {
        contain(std::any::type_name::<T>(), move || drop(value));
    }
}

/// A foreign value that is [discarded](discard) wherever it is dropped.
pub struct Held<T>(Option<T>);

impl<T> Held<T> {
    /// Holds `value`.
    pub fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// Runs `body` on the value, which is its own from here.
    pub fn with<R>(mut self, body: impl FnOnce(T) -> R) -> Option<R> {
        self.0.take().map(body)
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            discard(value);
        }
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&'static str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is no text".to_owned())
}
