//! Which pools this thread serves right now: whose methods, constructors or callbacks it runs.
//!
//! Who serves a pool must not wait for it: not for its end, not for room in its queue, not for its one worker in sync mode.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::pin;

/// A method of a worker that runs, as one that may wait for calls of its own pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Runner {
    pub(crate) worker: usize,
    /// Which one of those that run beside each other; 0 is one that has its worker for itself.
    pub(crate) run: u64,
}

impl Runner {
    /// What has its worker for itself.
    pub(crate) fn alone(worker: usize) -> Self {
        Self { worker, run: 0 }
    }
}

/// What a thread runs of a pool.
#[derive(Clone, Copy)]
pub(crate) struct Served {
    pub(crate) pool: usize,
    /// If that is a method.
    pub(crate) runner: Option<Runner>,
    /// The age of its call, unless it is what its worker has taken last.
    pub(crate) age: Option<u64>,
    /// Whether the pool is told when that sends the thread to sleep.
    pub(crate) is_watched: bool,
    /// Whether that has submitted a call to its own pool.
    has_submitted: bool,
}

impl Served {
    pub(crate) fn new(pool: usize, runner: Option<Runner>) -> Self {
        Self { pool, runner, age: None, is_watched: false, has_submitted: false }
    }

    /// It is the call of this age.
    pub(crate) fn of_age(self, age: u64) -> Self {
        Self { age: Some(age), ..self }
    }

    /// The pool is told when this sends the thread to sleep.
    pub(crate) fn watched(self) -> Self {
        Self { is_watched: true, ..self }
    }
}

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

/// Marks this thread as one that serves the pool of this number, perhaps with a method.
#[inline]
pub(crate) fn enter(pool: usize, runner: Option<Runner>) -> Serving {
    enter_as(Served::new(pool, runner))
}

/// The same, with more said of the method.
#[inline]
pub(crate) fn enter_as(served: Served) -> Serving {
    let before = LAST.replace(Some(served));
    if let Some(before) = before {
        // A thread that is being torn down has no list left; it is nobody's worker.
        BEFORE.try_with(|served| served.borrow_mut().push(before)).unwrap_or_default();
    }
    Serving { is_first: before.is_none(), _here: PhantomData }
}

impl Serving {
    /// Serves it no more; whether what ran here has submitted a call to its own pool.
    #[inline]
    pub(crate) fn leave(self) -> bool {
        let has_submitted = LAST.get().is_some_and(|served| served.has_submitted);
        drop(self);
        has_submitted
    }
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
fn find<R>(of: impl Fn(&mut Served) -> Option<R>) -> Option<R> {
    let mut last = LAST.get()?;
    let found = of(&mut last);
    LAST.set(Some(last));
    found.or_else(|| {
        BEFORE.try_with(|served| served.borrow_mut().iter_mut().rev().find_map(of)).unwrap_or_default()
    })
}

/// All that this thread runs, what was entered last first.
pub(super) fn all() -> Vec<Served> {
    let mut all: Vec<_> = LAST.get().into_iter().collect();
    BEFORE.try_with(|served| all.extend(served.borrow().iter().rev())).unwrap_or_default();
    all
}

/// Whether this thread serves that pool.
#[inline]
pub(crate) fn serves(pool: usize) -> bool {
    find(|served| (served.pool == pool).then_some(())).is_some()
}

/// The method of that pool which this thread runs.
#[inline]
pub(crate) fn runner_of(pool: usize) -> Option<Runner> {
    find(|served| (served.pool == pool).then_some(served.runner)).flatten()
}

/// As [`runner_of`], which submits a call to that pool.
pub(crate) fn submitter_of(pool: usize) -> Option<Runner> {
    find(|served| {
        (served.pool == pool).then(|| {
            served.has_submitted = true;
            served.runner
        })
    })
    .flatten()
}

/// Runs `future` with the mark around each of its polls, on whatever thread that is.
pub(crate) async fn within<F: Future>(pool: usize, runner: Option<Runner>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _serving = enter(pool, runner);
        future.as_mut().poll(context)
    })
    .await
}
