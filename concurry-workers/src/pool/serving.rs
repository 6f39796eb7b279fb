//! Which pools this thread serves right now: whose methods, constructors or callbacks it runs.
//!
//! Who serves a pool must not wait for it: not for its end, not for room in its queue, not for its one worker in sync mode.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::pin;

thread_local! {
    /// Pools, and the worker that this thread is of them, if it is one that runs one call at a time.
    static SERVED: RefCell<Vec<(usize, Option<usize>)>> = const { RefCell::new(Vec::new()) };
}

/// The mark that this thread serves a pool, until it is dropped.
pub(crate) struct Serving(PhantomData<*const ()>);

/// Marks this thread as one that serves the pool of this number, perhaps as one of its workers.
#[inline]
pub(crate) fn enter(pool: usize, worker: Option<usize>) -> Serving {
    // A thread that is being torn down has no mark left to set; it is nobody's worker.
    SERVED.try_with(|served| served.borrow_mut().push((pool, worker))).unwrap_or_default();
    Serving(PhantomData)
}

impl Drop for Serving {
    fn drop(&mut self) {
        SERVED.try_with(|served| served.borrow_mut().pop()).unwrap_or_default();
    }
}

/// Whether this thread serves that pool.
#[inline]
pub(crate) fn serves(pool: usize) -> bool {
    SERVED.try_with(|served| served.borrow().iter().any(|(served, _)| *served == pool)).unwrap_or(false)
}

/// Which worker of that pool this thread is, if it is one that runs one call at a time.
#[inline]
pub(crate) fn worker_of(pool: usize) -> Option<usize> {
    let of = |served: &Vec<(usize, Option<usize>)>| {
        served.iter().rev().find(|(served, _)| *served == pool).and_then(|(_, worker)| *worker)
    };
    SERVED.try_with(|served| of(&served.borrow())).unwrap_or_default()
}

/// Runs `future` with the mark around each of its polls, on whatever thread that is.
pub(crate) async fn within<F: Future>(pool: usize, worker: Option<usize>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _serving = enter(pool, worker);
        future.as_mut().poll(context)
    })
    .await
}
