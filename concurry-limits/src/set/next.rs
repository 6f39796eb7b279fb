//! Next: the thread that is next, woken before the release that lets it go on is counted.
//!
//! It takes a processor much longer to wake than a release takes to be counted, so the thread finds what it was granted when it runs.
//! If it does not, since it ran at once in place of who gives back, it sleeps on, and is woken by the grant as ever: to wake it early
//! promises nothing.
//!
//! That is of use where any release lets it go on: in a set of one limit whose amounts are held, for who wants one.

use std::task::Waker;

use concurry_core::clock::Timestamp;

use super::board::Board;
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// So many releases wake nobody early after one did so in vain: more threads want to run than there are processors then.
const RESTS: u64 = 64;
/// No place in a queue.
const NOBODY: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Next {
    thread: Mutex<Option<(u64, Waker)>>,
    /// The place of the last one that was woken early.
    woken: AtomicU64,
    rests: AtomicU64,
}

impl Next {
    pub(super) fn new() -> Self {
        Self { thread: Mutex::new(None), woken: AtomicU64::new(NOBODY), rests: AtomicU64::new(0) }
    }

    /// Follows the board, under the engine's lock. `place` is whose waker is here, or was.
    pub(super) fn follow(&self, board: &mut Board, now: Timestamp, place: &mut Option<u64>) {
        let next = board.next_by_any_release(now);
        let is = next.map(|(is, _)| is);
        if *place != is {
            *place = is;
            *lock(&self.thread) = next.map(|(is, waiter)| (is, waiter.cell.waker()));
        }
    }

    /// Something is about to be given back.
    pub(super) fn wake(&self) {
        let rests = self.rests.load(Ordering::Relaxed);
        if rests > 0 {
            // That several count down at once, or while it begins anew, is no matter.
            self.rests.store(rests - 1, Ordering::Relaxed);
            return;
        }
        let thread = lock(&self.thread).take();
        if let Some((place, thread)) = thread {
            self.woken.store(place, Ordering::Relaxed);
            thread.wake();
        }
    }

    /// Who stands in this place has slept, and sleeps on: if it was woken early, that was in vain.
    pub(super) fn sleeps_on(&self, place: u64) {
        if self.woken.compare_exchange(place, NOBODY, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.rests.store(RESTS, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use concurry_core::clock::Timestamp;

    use super::super::demand::Demand;
    use super::super::limit_set::{LimitSet, Repr};
    use super::super::waiting::{Entry, Waiting};
    use super::*;
    use crate::{LimitSetAcquisition, ResourceLimit};

    #[derive(Default)]
    struct Thread(AtomicUsize);

    impl Wake for Thread {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }

    impl Thread {
        fn wakes(&self) -> usize {
            self.0.load(std::sync::atomic::Ordering::SeqCst)
        }
    }

    struct Doors(LimitSet);

    impl Doors {
        /// Two doors, and who holds them.
        fn held() -> (Self, Vec<LimitSetAcquisition>) {
            let set =
                LimitSet::builder().limit(ResourceLimit::new("doors", 2)).build().expect("a valid limit");
            let held = [(); 2].map(|()| set.acquire(()).expect("both are free")).into();
            (Self(set), held)
        }

        /// A thread that waits for so many.
        fn wait(&self, doors: u64) -> (Waiting, Arc<Thread>) {
            let Repr::Local(engine) = &self.0.repr else { unreachable!("it was built here") };
            let demand = Demand::of(&[("doors", doors)], &engine.definition).expect("it fits");
            let thread = Arc::new(Thread::default());
            let entry = Entry { position: 0, engine: Arc::clone(engine), demand };
            let waker = Arc::clone(&thread).into();
            (Waiting::start(vec![entry], (Timestamp::default(), None), waker, true), thread)
        }

        fn next(&self) -> &Next {
            let Repr::Local(engine) = &self.0.repr else { unreachable!("it was built here") };
            engine.next.as_ref().expect("its amounts are held")
        }
    }

    #[test]
    fn who_is_next_is_woken_before_the_release_is_counted_and_again_by_the_grant() {
        let (doors, mut held) = Doors::held();
        let ((mut first, its_thread), (_second, other)) = (doors.wait(1), doors.wait(1));
        doors.next().wake();
        assert_eq!((its_thread.wakes(), other.wakes()), (1, 0));
        assert!(first.poll(&Arc::clone(&its_thread).into()).is_none(), "nothing was given back yet");
        doors.next().wake();
        assert_eq!((its_thread.wakes(), other.wakes()), (1, 0), "once");
        held.pop();
        assert_eq!((its_thread.wakes(), other.wakes()), (2, 0));
        let _granted = first.poll(&its_thread.into()).expect("it was granted").expect("a door");
        doors.next().wake();
        assert_eq!(other.wakes(), 1, "it is next now");
    }

    #[test]
    fn a_release_alone_wakes_early_and_by_the_grant() {
        let (doors, mut held) = Doors::held();
        let (_waiting, thread) = doors.wait(1);
        held.pop();
        assert_eq!(thread.wakes(), 2);
    }

    #[test]
    fn nobody_is_woken_early_whom_a_release_may_not_let_go_on() {
        let (doors, _held) = Doors::held();
        let (both, thread) = doors.wait(2);
        doors.next().wake();
        assert_eq!(thread.wakes(), 0, "one door is no use to it");
        drop(both);
        let (one, thread) = doors.wait(1);
        doors.0.pause("doors", std::time::Duration::MAX).unwrap();
        doors.next().wake();
        assert_eq!(thread.wakes(), 0, "none is let through");
        doors.0.resume("doors").unwrap();
        drop(one);
        doors.next().wake();
        assert_eq!(thread.wakes(), 0, "it waits no more");
    }

    #[test]
    fn nobody_is_woken_early_while_more_is_held_than_there_may_be() {
        let (doors, mut held) = Doors::held();
        let (_one, thread) = doors.wait(1);
        doors.0.set_capacity("doors", 1).expect("a known key");
        doors.next().wake();
        assert_eq!(thread.wakes(), 0, "one is to come back for which nobody goes in");
        held.pop();
        doors.next().wake();
        assert_eq!(thread.wakes(), 1, "the next one is its own");
    }

    #[test]
    fn after_a_thread_was_woken_in_vain_a_number_of_releases_wakes_nobody_early() {
        let (doors, held) = Doors::held();
        let set = doors.0.clone();
        let waiting = std::thread::spawn(move || drop(set.acquire(())));
        let resting = || doors.next().rests.load(Ordering::Relaxed) > 0;
        while !resting() {
            doors.next().wake();
            std::thread::yield_now();
        }
        drop(held);
        waiting.join().expect("it was let in");

        let (_held, (_waiting, thread)) = ([(); 2].map(|()| doors.0.acquire(())), doors.wait(1));
        doors.next().rests.store(RESTS, Ordering::Relaxed);
        (0..RESTS).for_each(|_| doors.next().wake());
        assert_eq!(thread.wakes(), 0);
        doors.next().wake();
        assert_eq!(thread.wakes(), 1);
    }

    #[test]
    fn who_sleeps_on_without_having_been_woken_early_tells_nothing() {
        let (doors, _held) = Doors::held();
        let (_waiting, thread) = doors.wait(1);
        doors.next().sleeps_on(0);
        doors.next().wake();
        assert_eq!(thread.wakes(), 1);
        doors.next().sleeps_on(1);
        assert_eq!(doors.next().rests.load(Ordering::Relaxed), 0, "that is another one");
        doors.next().sleeps_on(0);
        assert_eq!(doors.next().rests.load(Ordering::Relaxed), RESTS);
    }
}
