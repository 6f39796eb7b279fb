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
    static CATCHING: Cell<Catching> = const { Cell::new(Catching::No) };
    /// What the last panic said, and where.
    static NOTED: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
    static IS_PROBE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread catches panics here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Catching {
    No,
    Yes,
    /// It does, and the place of a panic was noted since.
    Noted,
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
            // A thread that is being torn down catches none.
            if CATCHING.try_with(Cell::get).is_ok_and(|catching| catching != Catching::No) {
                let noted = info.location().map(|place| (message(info.payload()), place.to_string()));
                NOTED.try_with(|slot| *slot.borrow_mut() = noted).unwrap_or_default();
                CATCHING.set(Catching::Noted);
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
    let outer = CATCHING.replace(Catching::Yes);
    let result = catch_unwind(AssertUnwindSafe(body));
    let catching = CATCHING.replace(outer);
    result.map_err(|payload| {
        let message = message(&*payload);
        // What goes on by `resume_unwind` is noted nowhere: what is there then is of a panic that was caught before.
        let noted = NOTED.try_with(RefCell::take).unwrap_or_default();
        let of_this = noted.filter(|(noted, _)| catching == Catching::Noted && *noted == message);
        let panicked = Panicked::new(message, of_this.map(|(_, place)| place));
        let_go(payload);
        panicked
    })
}

/// Drops what was panicked with, which is foreign as well.
fn let_go(payload: Box<dyn Any + Send>) {
    let mut payload = Some(payload);
    while let Some(foreign) = payload.take() {
        payload = catch_unwind(AssertUnwindSafe(|| drop(foreign))).err();
    }
}

/// Writes a line into the log. Whoever takes it down is foreign too, and panics when it writes to what nobody reads any more: then
/// the line is lost, and nothing else.
pub fn log(line: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(line)) {
        let_go(payload);
    }
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
            log(|| tracing::error!(%panic, "{what} panicked; nothing else is affected"));
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
                log(|| tracing::error!(%panic, "what was run beside another panic panicked too"));
                let_go(payload);
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

#[cfg(all(test, not(loom)))]
mod tests {
    use std::panic::resume_unwind;

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;
    use crate::call::channel;

    /// As a subscriber that writes to a pipe which nobody reads any more.
    struct Broken;

    impl Subscriber for Broken {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, _: &Event<'_>) {
            panic!("failed printing to stderr, on purpose");
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_log_that_panics_keeps_no_call_from_its_end() {
        tracing::subscriber::with_default(Broken, || {
            assert_eq!(contain("it", || panic!("on purpose")), None);
            let (promise, call) = channel::<u64, String>();
            call.on_done(|_| panic!("on purpose"));
            let call = call.map(|value| value + 1);
            promise.complete(Ok(1));
            assert_eq!(call.result().unwrap(), 2);
            // What a thread has put off is done as ever.
            let (promise, call) = channel::<u64, String>();
            let call = call.map(|value| value + 1);
            promise.complete(Ok(2));
            assert_eq!(call.result().unwrap(), 3);
        });
    }

    #[test]
    fn a_log_that_panics_beside_a_panic_ends_nothing() {
        struct Last;
        impl Drop for Last {
            fn drop(&mut self) {
                let mut all = InTurn::default();
                all.run(|| panic!("another, on purpose"));
                all.end();
            }
        }
        let panicked = tracing::subscriber::with_default(Broken, || {
            catch(|| {
                let _last = Last;
                panic!("one, on purpose")
            })
        });
        assert_eq!(panicked.unwrap_err().message(), "one, on purpose");
    }

    #[test]
    fn a_panic_that_goes_on_has_no_place_of_an_earlier_one() {
        let resumed = catch(|| {
            drop(catch_unwind(|| panic!("caught, on purpose")));
            resume_unwind(Box::new("from elsewhere"))
        });
        let panicked = resumed.unwrap_err();
        assert_eq!((panicked.message(), panicked.location()), ("from elsewhere", None));
        // Nor one of a panic that was caught in an earlier body.
        drop(catch(|| drop(catch_unwind(|| panic!("the same, on purpose")))));
        let resumed = catch(|| resume_unwind(Box::new("the same, on purpose")));
        assert_eq!(resumed.unwrap_err().location(), None);
    }

    #[test]
    fn a_panic_that_was_caught_and_goes_on_keeps_its_place() {
        let resumed = catch(|| {
            let caught: Result<(), _> = catch_unwind(|| panic!("the {}, on purpose", "first"));
            caught.unwrap_or_else(|payload| resume_unwind(payload));
        });
        let panicked = resumed.unwrap_err();
        assert!(panicked.location().is_some_and(|place| place.contains("panics.rs")), "{panicked}");
        assert_eq!(panicked.message(), "the first, on purpose");
    }
}
