//! Cells of calls that have ended, for the next calls of this thread.
//!
//! Who submits a batch makes as many cells as calls, and lets go of them one after the other when it has the results: for short
//! calls an allocator, which serves all threads and sizes, takes a third of the caller's time for that. So a thread that takes a
//! result out of a cell that nobody else has keeps the cell, made new, and its next call of that type has it.
//!
//! At most [`MOST`] of each of [`TYPES`] types are kept a thread, and only small ones: of most, 72 bytes each, in all a MiB or so,
//! which ends with the thread. What `result` had to wait for is not kept: calls made one by one find what was freed last anyway.

use std::any::{Any, TypeId};
use std::cell::{self, RefCell};
use std::sync::Arc;

use super::Origin;
use super::cell::Cell;

/// As many of one type as an ordinary window of calls in flight.
const MOST: usize = 1_024;
const TYPES: usize = 4;
/// The largest cell that is kept.
const LARGEST: usize = 256;
/// Where there are more types, one of them gives way to another after so many that found no place.
const PATIENCE: u32 = 256;

/// What keeps a cell. Only who makes a call knows that its type has no lifetimes, and can tell cells of that type from others.
pub(super) type Keep<T, E> = fn(Arc<Cell<T, E>>);

/// A cell, and what keeps it once its call has ended, if that can be.
type CellAndKeep<T, E> = (Arc<Cell<T, E>>, Option<Keep<T, E>>);

/// The cells of one type, all as new.
type Kept<T, E> = Vec<Arc<Cell<T, E>>>;

struct Spare {
    /// Each is a [`Kept`].
    lists: Vec<Box<dyn Any>>,
    /// How many cells found no list since one gave way.
    missed: u32,
}

/// How the last look ended: until something changes, the next of its kind would end as it did.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Served,
    /// There was no cell for a call of this type.
    HadNone(TypeId),
    /// There was no room for a cell. Of another type there may be some; that is found when the next call is made.
    HadNoRoom,
}

thread_local! {
    static LAST: cell::Cell<Last> = const { cell::Cell::new(Last::Served) };
    static SPARE: RefCell<Spare> = const { RefCell::new(Spare { lists: Vec::new(), missed: 0 }) };
}

/// A cell for a new call.
#[inline]
pub(super) fn cell<T: 'static, E: 'static>(origin: Origin) -> CellAndKeep<T, E> {
    // In a model each cell has a history, which ends with it.
    if size_of::<Cell<T, E>>() > LARGEST || cfg!(loom) {
        return (Cell::new(origin), None);
    }
    (spare(origin).unwrap_or_else(|| Cell::new(origin)), Some(keep))
}

/// A cell that was kept.
#[inline]
fn spare<T: 'static, E: 'static>(origin: Origin) -> Option<Arc<Cell<T, E>>> {
    let had_none = Last::HadNone(TypeId::of::<Cell<T, E>>());
    if LAST.get() == had_none {
        return None;
    }
    let spare = with_spare(|spare| spare.list::<T, E>()?.pop());
    LAST.set(if spare.is_some() { Last::Served } else { had_none });
    Cell::given_to(spare?, origin)
}

/// Whether there may be room for another cell.
#[inline]
pub(super) fn has_room() -> bool {
    LAST.get() != Last::HadNoRoom
}

/// The one function behind every [`Keep`].
fn keep<T: 'static, E: 'static>(cell: Arc<Cell<T, E>>) {
    let mut cell = Some(cell);
    let displaced = with_spare(|spare| {
        let Some(kept) = spare.list() else { return spare.begin::<T, E>() };
        if kept.len() < MOST {
            kept.extend(cell.take());
        }
        LAST.set(if cell.is_none() { Last::Served } else { Last::HadNoRoom });
        None
    });
    // Not while the lists are borrowed.
    drop((cell, displaced));
}

/// `None` where the thread ends.
#[inline]
fn with_spare<R>(act: impl FnOnce(&mut Spare) -> Option<R>) -> Option<R> {
    SPARE.try_with(|spare| act(&mut *spare.try_borrow_mut().ok()?)).ok().flatten()
}

impl Spare {
    #[inline]
    fn list<T: 'static, E: 'static>(&mut self) -> Option<&mut Kept<T, E>> {
        self.lists.iter_mut().find_map(|list| list.downcast_mut())
    }

    /// Begins a list for the cells to come; gives the one back that had its place.
    #[cold]
    fn begin<T: 'static, E: 'static>(&mut self) -> Option<Box<dyn Any>> {
        if self.lists.len() == TYPES {
            self.missed += 1;
            if self.missed < PATIENCE {
                return None;
            }
        }
        self.missed = 0;
        let displaced = (self.lists.len() == TYPES).then(|| self.lists.remove(0));
        self.lists.push(Box::new(Kept::<T, E>::new()));
        displaced
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::convert::Infallible;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::thread;

    use super::super::{Call, CallError, Promise, channel, channel_of};
    use super::*;

    fn ends<T: 'static, E: 'static>() -> (Promise<T, E>, Call<T, E>) {
        channel_of(Origin::default())
    }

    /// Has a call run to its end, and gives the number that it had.
    fn run<T: Default + 'static>() -> usize {
        let (promise, call) = ends::<T, Infallible>();
        let id = promise.id();
        promise.complete(Ok(T::default()));
        assert!(call.result().is_ok());
        id
    }

    /// Runs `body` on a thread that has made no calls.
    fn on_a_new_thread(body: impl FnOnce() + Send + 'static) {
        assert!(thread::spawn(body).join().is_ok());
    }

    fn kept<T: 'static, E: 'static>() -> usize {
        with_spare(|spare| spare.list::<T, E>().map(|kept| kept.len())).unwrap_or_default()
    }

    #[test]
    fn the_cell_of_a_call_whose_result_was_taken_is_that_of_the_next_one() {
        on_a_new_thread(|| {
            run::<u64>();
            let id = run::<u64>();
            let (promise, call) = ends::<u64, Infallible>();
            assert_eq!(promise.id(), id);
            assert!(promise.is_open() && !promise.is_by_force() && !call.is_done());
            promise.complete(Ok(2));
            let mut call = pin!(call);
            let mut poll = || call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(poll(), Poll::Ready(Ok(2))), "awaited as well");
            assert!(matches!(poll(), Poll::Ready(Err(CallError::Taken))));
            assert_eq!((run::<u64>(), kept::<u64, Infallible>()), (id, 1));
        });
    }

    #[test]
    fn what_happened_to_a_call_does_not_happen_to_the_next_one() {
        on_a_new_thread(|| {
            run::<u64>();
            let (promise, call) = ends::<u64, Infallible>();
            let id = promise.id();
            call.on_done(|outcome| assert!(outcome.is_err()));
            assert!(call.cancel_hard());
            drop(promise);
            assert!(matches!(call.result(), Err(CallError::Cancelled)));
            let (promise, call) = ends::<u64, Infallible>();
            assert_eq!(promise.id(), id);
            assert!(promise.is_open() && !promise.is_by_force() && !call.is_done());
            drop(promise);
            assert!(matches!(call.result(), Err(CallError::Stopped)));
        });
    }

    #[test]
    fn a_cell_that_others_know_is_left_to_them() {
        on_a_new_thread(|| {
            run::<u64>();
            let (promise, call) = ends::<u64, Infallible>();
            let (id, canceller) = (promise.id(), call.canceller());
            let cancellation = promise.cancellation();
            promise.complete(Ok(1));
            assert!(call.result().is_ok());
            let (promise, call) = ends::<u64, Infallible>();
            assert_ne!(promise.id(), id);
            canceller.cancel();
            assert!(promise.is_open() && !call.is_done());
            drop(cancellation);
        });
    }

    #[test]
    fn cells_are_kept_by_type_and_only_small_ones_and_not_too_many() {
        on_a_new_thread(|| {
            for _ in 0..2 {
                run::<u64>();
                run::<String>();
                run::<[u128; 16]>();
                run::<[u64; 30]>();
            }
            assert_eq!((kept::<u64, Infallible>(), kept::<String, Infallible>()), (1, 1));
            assert_eq!((kept::<[u128; 16], Infallible>(), kept::<[u64; 30], Infallible>()), (0, 0));
            let (promise, call) = channel::<u64, String>();
            promise.complete(Ok(1));
            assert!(call.result().is_ok());
            assert_eq!(kept::<u64, String>(), 0, "nobody has said that its types last");
            let (promises, calls): (Vec<_>, Vec<_>) =
                (0..MOST + 10).map(|_| ends::<u64, Infallible>()).unzip();
            for promise in promises {
                promise.complete(Ok(3));
            }
            assert!(calls.into_iter().all(|call| call.result().is_ok()));
            assert_eq!(kept::<u64, Infallible>(), MOST);
        });
    }

    #[test]
    fn a_type_that_has_no_list_gets_one_if_it_is_there_for_long() {
        on_a_new_thread(|| {
            for _ in 0..3 {
                run::<u8>();
                run::<u16>();
                run::<u32>();
                run::<u64>();
            }
            assert_eq!([kept::<u8, Infallible>(), kept::<u64, Infallible>()], [1, 1]);
            for _ in 1..PATIENCE {
                run::<i8>();
            }
            assert_eq!([kept::<u8, Infallible>(), kept::<i8, Infallible>()], [1, 0]);
            for _ in 0..2 {
                run::<i8>();
            }
            assert_eq!([kept::<u8, Infallible>(), kept::<i8, Infallible>()], [0, 1]);
            assert_eq!([kept::<u16, Infallible>(), kept::<u64, Infallible>()], [1, 1]);
        });
    }

    #[test]
    fn calls_whose_cells_are_never_kept_do_not_keep_others_from_theirs() {
        on_a_new_thread(|| {
            for _ in 0..10 {
                drop(ends::<u8, Infallible>());
                run::<u64>();
            }
            assert_eq!((kept::<u8, Infallible>(), kept::<u64, Infallible>()), (0, 1));
        });
    }

    /// What is dropped while a thread ends may still make calls.
    #[test]
    fn calls_are_made_while_a_thread_ends() {
        struct Late;
        impl Drop for Late {
            fn drop(&mut self) {
                run::<u64>();
            }
        }
        thread_local!(static LATE: Late = const { Late });
        on_a_new_thread(|| {
            LATE.with(|_| run::<u64>());
        });
    }
}
