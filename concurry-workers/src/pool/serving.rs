//! Which pools this thread serves right now: whose methods, constructors or callbacks it runs.
//!
//! Who serves a pool must not wait for it: not for its end, not for room in its queue, not for its one worker in sync mode.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::pin;

/// A pool, and the worker that this thread is of it, if it is one that runs one call at a time.
type Served = (usize, Option<usize>);

thread_local! {
    /// The pool that was entered last; most threads serve one, and most none.
    static LAST: Cell<Option<Served>> = const { Cell::new(None) };
    /// Those that were entered before it.
    static BEFORE: RefCell<Vec<Served>> = const { RefCell::new(Vec::new()) };
}

/// The mark that this thread serves a pool, until it is dropped.
pub(crate) struct Serving {
    is_first: bool,
    _here: PhantomData<*const ()>,
}

/// Marks this thread as one that serves the pool of this number, perhaps as one of its workers.
#[inline]
pub(crate) fn enter(pool: usize, worker: Option<usize>) -> Serving {
    let before = LAST.replace(Some((pool, worker)));
    if let Some(before) = before {
        // A thread that is being torn down has no list left; it is nobody's worker.
        BEFORE.try_with(|served| served.borrow_mut().push(before)).unwrap_or_default();
    }
    Serving { is_first: before.is_none(), _here: PhantomData }
}

impl Drop for Serving {
    #[inline]
    fn drop(&mut self) {
        let before = if self.is_first {
            None
        } else {
            BEFORE.try_with(|served| served.borrow_mut().pop()).unwrap_or_default()
        };
        LAST.set(before);
    }
}

/// Looks through the pools that this thread serves, the one that was entered last first.
#[inline]
fn find<R>(of: impl Fn(Served) -> Option<R>) -> Option<R> {
    let last = LAST.get()?;
    of(last).or_else(|| {
        BEFORE.try_with(|served| served.borrow().iter().rev().copied().find_map(of)).unwrap_or_default()
    })
}

/// Whether this thread serves that pool.
#[inline]
pub(crate) fn serves(pool: usize) -> bool {
    find(|(served, _)| (served == pool).then_some(())).is_some()
}

/// Which worker of that pool this thread is, if it is one that runs one call at a time.
#[inline]
pub(crate) fn worker_of(pool: usize) -> Option<usize> {
    find(|(served, worker)| (served == pool).then_some(worker)).flatten()
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
