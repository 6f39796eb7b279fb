//! Parking a thread until a [`Waker`] is woken, and running a future on this thread.
//!
//! Blocking and async code wait in the same queues, because a parked thread is just one more kind of waker.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use crate::call::catch_up;
use crate::clock::{Clock, Timestamp};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// A waker that unparks the current thread. Made once a thread; later calls clone it.
///
/// # Examples
///
/// ```
/// let waker = concurry_core::park::thread_waker();
/// waker.wake();
/// std::thread::park(); // returns at once
/// ```
pub fn thread_waker() -> Waker {
    thread_local! {
        static WAKER: RefCell<Option<Waker>> = const { RefCell::new(None) };
    }
    let make = || Waker::from(Arc::new(Unpark(std::thread::current())));
    // A thread that is being torn down has no thread-local left; a waker of its own serves it as well.
    WAKER.try_with(|slot| slot.borrow_mut().get_or_insert_with(make).clone()).unwrap_or_else(|_| make())
}

/// Runs `future` to its end on this thread, which sleeps between polls.
///
/// # Panics
///
/// When `future` panics.
///
/// # Examples
///
/// ```
/// assert_eq!(concurry_core::park::block_on(async { 6 * 7 }), 42);
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = thread_waker();
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            // What this thread itself has put off may be what is waited for.
            Poll::Pending if catch_up() => {}
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Like [`block_on`], until `deadline` at most: `None` when the future was not done by then. It is not dropped early:
/// the caller keeps it.
///
/// # Examples
///
/// ```
/// use concurry_core::{clock, park::block_on_until};
///
/// let clock = clock::system();
/// let never = std::future::pending::<()>();
/// assert_eq!(block_on_until(never, &*clock, clock.now()), None);
/// ```
pub fn block_on_until<F: Future>(future: F, clock: &dyn Clock, deadline: Timestamp) -> Option<F::Output> {
    let mut future = pin!(future);
    let waker = thread_waker();
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        if catch_up() {
            continue;
        }
        if clock.now() >= deadline {
            return None;
        }
        clock.park_until(Some(deadline));
    }
}
