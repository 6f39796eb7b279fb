//! Which pools this thread serves right now: whose methods, constructors or callbacks it runs.
//!
//! Who serves a pool must not wait for it: not for its end, not for room in its queue, not for its one worker in sync mode.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::pin;

thread_local! {
    static SERVED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// The mark that this thread serves a pool, until it is dropped.
pub(crate) struct Serving(PhantomData<*const ()>);

/// Marks this thread as one that serves the pool of this number.
pub(crate) fn enter(pool: usize) -> Serving {
    // A thread that is being torn down has no mark left to set; it is nobody's worker.
    SERVED.try_with(|served| served.borrow_mut().push(pool)).unwrap_or_default();
    Serving(PhantomData)
}

impl Drop for Serving {
    fn drop(&mut self) {
        SERVED.try_with(|served| served.borrow_mut().pop()).unwrap_or_default();
    }
}

/// Whether this thread serves that pool.
pub(crate) fn serves(pool: usize) -> bool {
    SERVED.try_with(|served| served.borrow().contains(&pool)).unwrap_or(false)
}

/// Runs `future` with the mark around each of its polls, on whatever thread that is.
pub(crate) async fn within<F: Future>(pool: usize, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _serving = enter(pool);
        future.as_mut().poll(context)
    })
    .await
}
