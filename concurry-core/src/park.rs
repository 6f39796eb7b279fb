//! Parking a thread until a [`Waker`] is woken, and running a future on this thread.
//!
//! Blocking and async code wait in the same queues, because a parked thread is just one more kind of waker.
//!
//! Whoever runs foreign code on a thread may be told when that code sends the thread to sleep ([`watched`]): a pool whose
//! workers all sleep runs nothing.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use crate::call::{Look, catch_up};
use crate::clock::{self, Clock, Timestamp};
use crate::spin::Spin;

/// Wakes a thread, and counts how often.
///
/// That a thread was unparked is told once, to whoever parks it next: be it a wait within the poll of a future that another wait of
/// this thread polls, or one that is none of ours. So it says nothing to that other wait, and the count does.
struct Unpark {
    thread: Thread,
    wakes: AtomicUsize,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Before the thread is unparked: whatever has eaten that sees the count.
        self.wakes.fetch_add(1, Ordering::Release);
        self.thread.unpark();
    }
}

impl Unpark {
    /// That of the current thread, made once a thread.
    fn here() -> Arc<Self> {
        thread_local! {
            static HERE: RefCell<Option<Arc<Unpark>>> = const { RefCell::new(None) };
        }
        let make = || Arc::new(Unpark { thread: std::thread::current(), wakes: AtomicUsize::new(0) });
        // A thread that is being torn down has no thread-local left; one of its own serves it as well.
        HERE.try_with(|slot| Arc::clone(slot.borrow_mut().get_or_insert_with(make)))
            .unwrap_or_else(|_| make())
    }

    fn wakes(&self) -> usize {
        self.wakes.load(Ordering::Acquire)
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
    Unpark::here().into()
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
    run(future, sleep)
}

/// As [`block_on`], for what is often done soon: looks for a while whether it `is_done` before it sleeps. `help` does the looking by
/// what it is given, with a step of its own that may bring the end about, and which says when to look no more.
///
/// # Panics
///
/// When `future` panics.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
///
/// let done = Cell::new(false);
/// let work = |look: concurry_core::call::Look<'_>| look(&mut || done.replace(true));
/// assert_eq!(concurry_core::park::look_and_block_on(|| done.get(), work, async { 6 * 7 }), 42);
/// ```
pub fn look_and_block_on<F: Future>(
    is_done: impl Fn() -> bool,
    help: impl FnOnce(Look<'_>),
    future: F,
) -> F::Output {
    thread_local! {
        static SPIN: Cell<Spin> = const { Cell::new(Spin::new()) };
    }
    let clock = clock::system();
    let start = clock.now();
    let mut spin = SPIN.try_with(Cell::take).unwrap_or_default();
    let mut done = false;
    help(&mut |step| done = spin.until(&*clock, start, || is_done() || step()));
    let output = block_on(future);
    if !done {
        spin.waited(clock.now() - start);
    }
    // A thread that is being torn down learns nothing.
    SPIN.try_with(|slot| slot.set(spin)).unwrap_or_default();
    output
}

/// As [`block_on`], for a thread that has nothing else to do: nobody is told that it sleeps.
///
/// # Panics
///
/// When `future` panics.
///
/// # Examples
///
/// ```
/// assert_eq!(concurry_core::park::idle_on(async { 6 * 7 }), 42);
/// ```
pub fn idle_on<F: Future>(future: F) -> F::Output {
    run(future, |_| std::thread::park())
}

/// As [`idle_on`], for a thread that holds what it has put off may want: nothing of that is done meanwhile.
///
/// # Panics
///
/// When `future` panics.
///
/// # Examples
///
/// ```
/// assert_eq!(concurry_core::park::still_on(async { 6 * 7 }), 42);
/// ```
pub fn still_on<F: Future>(future: F) -> F::Output {
    drive(future, |_| std::thread::park())
}

fn run<F: Future>(future: F, sleep: impl Fn(&Waker)) -> F::Output {
    // What this thread itself has put off may be what is waited for.
    drive(future, |waker| {
        if !catch_up() {
            sleep(waker);
        }
    })
}

fn drive<F: Future>(future: F, mut pause: impl FnMut(&Waker)) -> F::Output {
    let mut future = pin!(future);
    let here = Unpark::here();
    let waker = Waker::from(Arc::clone(&here));
    let mut context = Context::from_waker(&waker);
    loop {
        let woken = here.wakes();
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            // What has woken this thread meanwhile may have been eaten by a wait within the poll.
            Poll::Pending if here.wakes() != woken => {}
            Poll::Pending => pause(&waker),
        }
    }
}

/// Told when a thread goes to sleep for as long as it takes, and when it is awake again.
pub trait Sleepers: Send + Sync {
    /// The thread is about to sleep until `waker` is woken.
    fn falls_asleep(&self, waker: &Waker);

    /// It is awake.
    fn wakes_up(&self);
}

thread_local! {
    static WATCHED: RefCell<Vec<Arc<dyn Sleepers>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `body`, and has `watch` told when it sends this thread to sleep in [`block_on`].
///
/// # Examples
///
/// ```
/// use concurry_core::park::{Sleepers, block_on, watched};
/// use std::{future::poll_fn, sync::Arc, sync::atomic::{AtomicU32, Ordering::SeqCst}, task::{Poll, Waker}};
///
/// #[derive(Default)]
/// struct Count(AtomicU32);
///
/// impl Sleepers for Count {
///     fn falls_asleep(&self, waker: &Waker) {
///         self.0.fetch_add(1, SeqCst);
///         waker.wake_by_ref(); // it sleeps shortly
///     }
///     fn wakes_up(&self) {}
/// }
///
/// let count = Arc::new(Count::default());
/// let asked = Arc::clone(&count);
/// watched(count.clone(), || {
///     block_on(poll_fn(|_| if asked.0.load(SeqCst) > 0 { Poll::Ready(()) } else { Poll::Pending }));
/// });
/// assert_eq!(count.0.load(SeqCst), 1);
/// ```
pub fn watched<R>(watch: Arc<dyn Sleepers>, body: impl FnOnce() -> R) -> R {
    struct Watched;

    impl Drop for Watched {
        fn drop(&mut self) {
            drop(WATCHED.try_with(|watched| watched.borrow_mut().pop()));
        }
    }

    // A thread that is being torn down runs nothing that could be watched.
    WATCHED.try_with(|watched| watched.borrow_mut().push(watch)).unwrap_or_default();
    let _watched = Watched;
    body()
}

/// How a thread sleeps, which `park` does: until the waker is woken, if there is one; without one for a time, or for what is no call.
type HowToSleep = fn(Option<&Waker>, park: &dyn Fn());

static HOW_TO_SLEEP: OnceLock<HowToSleep> = OnceLock::new();

/// Has each thread that sleeps in [`block_on`] or by the system's clock do it so, beside what [`watched`] asks for: for what enters and
/// leaves a thread too often to say so each time. The first to ask for that has it.
#[doc(hidden)]
pub fn sleep_by(how: HowToSleep) {
    HOW_TO_SLEEP.get_or_init(|| how);
}

/// Has this thread sleep by `park`; who watches it is not told. What this thread itself has put off is done instead, if there is
/// anything: whoever sleeps looks again, and that may be what it waits for.
pub(crate) fn nap(park: &dyn Fn()) {
    if !catch_up() {
        sleep_until(None, park);
    }
}

fn sleep_until(waker: Option<&Waker>, park: &dyn Fn()) {
    match HOW_TO_SLEEP.get() {
        Some(how) => how(waker, park),
        None => park(),
    }
}

/// Has this thread sleep until it is woken, and those told who watch it.
fn sleep(waker: &Waker) {
    let watched = WATCHED.try_with(|watched| watched.borrow().clone()).unwrap_or_default();
    for watch in &watched {
        watch.falls_asleep(waker);
    }
    sleep_until(Some(waker), &std::thread::park);
    for watch in &watched {
        watch.wakes_up();
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
    let here = Unpark::here();
    let waker = Waker::from(Arc::clone(&here));
    let mut context = Context::from_waker(&waker);
    loop {
        let woken = here.wakes();
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        if catch_up() {
            continue;
        }
        if clock.now() >= deadline {
            return None;
        }
        // As in `drive`. Not before the look at the clock, for a future that wakes itself each time.
        if here.wakes() != woken {
            continue;
        }
        clock.park_until(Some(deadline));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::clock::ManualClock;

    /// Its first poll is woken, and blocks the thread for something else, which eats that; the second one is ready.
    fn woken_and_blocked() -> impl Future<Output = ()> {
        let mut is_first = true;
        poll_fn(move |context| {
            if !std::mem::replace(&mut is_first, false) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            std::thread::park();
            Poll::Pending
        })
    }

    #[test]
    fn a_wait_is_woken_though_one_within_it_has_eaten_what_unparked_the_thread() {
        block_on(woken_and_blocked());
        idle_on(woken_and_blocked());
        still_on(woken_and_blocked());
        let clock = ManualClock::new();
        assert_eq!(block_on_until(woken_and_blocked(), &clock, Timestamp::from_nanos(1)), Some(()));
        block_on(async { block_on(woken_and_blocked()) });
    }

    #[test]
    fn a_wait_until_an_instant_ends_though_its_future_wakes_itself_each_time() {
        let clock = ManualClock::new();
        let deadline = Timestamp::from_nanos(10);
        let restless = poll_fn(|context| {
            clock.advance(std::time::Duration::from_nanos(1));
            context.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        assert_eq!(block_on_until(restless, &clock, deadline), None);
    }
}
