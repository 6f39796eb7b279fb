//! What stands in the queue: crowds, and who waits in several sets, at the moment at which another set has granted it and this
//! one has not heard.

use std::sync::Arc;
use std::task::Waker;

use concurry_core::clock::{ManualClock, Timestamp};
use smallvec::smallvec;

use super::super::cell::{Branch, Cell};
use super::super::demand::Demand;
use super::super::limit_set::{LimitSet, Repr};
use super::super::queue::Waiter;
use super::super::{Admission, Engine, LimitSetBuilder};
use super::Entered;
use crate::ResourceLimit;

fn doors(clock: &ManualClock) -> (LimitSet, Arc<Engine>) {
    let builder = LimitSet::builder().clock(Arc::new(clock.clone())).limit(ResourceLimit::new("doors", 5));
    let set = builder.build().expect("a valid limit");
    let Repr::Local(engine) = &set.repr else { unreachable!("it was built here") };
    let engine = Arc::clone(engine);
    (set, engine)
}

/// A set of which two doors are held, and one who wants all and has left, but for its place here.
fn one_who_is_gone() -> (LimitSet, crate::LimitSetAcquisition) {
    let clock = ManualClock::new();
    let ((_, elsewhere), (set, here)) = (doors(&clock), doors(&clock));
    let held = set.acquire([("doors", 2)]).expect("all are free");
    let branch = |engine: &Arc<Engine>, position| Branch {
        engine: Arc::clone(engine),
        position,
        wishes: Demand::of(&[("doors", 5)], &engine.definition).expect("it fits").wishes,
    };
    let branches = smallvec![branch(&elsewhere, 0), branch(&here, 1)];
    let cell = Arc::new(Cell::new(branches, Waker::noop().clone(), (Timestamp::default(), None), false));
    let entered = here.enter(Waiter { cell: Arc::clone(&cell), branch: 1 });
    assert!(matches!(entered, Ok(Entered::Standing(_))), "two are held");
    drop(cell.close());
    (set, held)
}

#[test]
fn a_newcomer_does_not_wait_for_one_who_is_gone() {
    let (set, _held) = one_who_is_gone();
    assert_eq!(set.would_admit([("doors", 3)]), Admission::Now);
    let (set, _held) = one_who_is_gone();
    drop(set.try_acquire([("doors", 3)]).expect("nobody is in its way"));
    let (set, _held) = one_who_is_gone();
    let mut newcomer = Box::pin(set.acquire_async([("doors", 3)]));
    let polled = newcomer.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop()));
    assert!(polled.is_ready());
}

#[test]
fn who_waits_behind_one_who_is_gone_comes_before_a_newcomer() {
    let (set, _held) = one_who_is_gone();
    // Past the check at the door, as though it had come before the other had gone.
    let Repr::Local(engine) = &set.repr else { unreachable!("it was built here") };
    let branch = Branch {
        engine: Arc::clone(engine),
        position: 0,
        wishes: Demand::of(&[("doors", 3)], &engine.definition).expect("it fits").wishes,
    };
    let cell =
        Arc::new(Cell::new(smallvec![branch], Waker::noop().clone(), (Timestamp::default(), None), false));
    engine.act(|board, _, _| board.queue.join(Waiter { cell: Arc::clone(&cell), branch: 0 }));
    assert!(set.try_acquire([("doors", 3)]).is_err(), "one was there earlier");
    assert!(cell.poll(Waker::noop()).is_some(), "it was granted");
}

#[test]
fn one_who_is_gone_is_not_counted_as_refused() {
    let (set, _held) = one_who_is_gone();
    set.set_capacity("doors", 3).expect("it is above nothing");
    assert_eq!(set.stats().limits[0].refused, 0);
}

#[test]
fn a_walk_begins_with_one_of_each_kind_however_many_wait() {
    let doors = |builder: LimitSetBuilder, key| builder.limit(ResourceLimit::new(key, 1));
    let builder = ["a", "b", "c"].into_iter().fold(LimitSet::builder(), doors);
    let set = builder.build().expect("valid limits");
    let Repr::Local(engine) = &set.repr else { unreachable!("it was built here") };
    let _held = set.acquire(()).expect("all are free");
    let kinds: [&[(&str, u64)]; 3] =
        [&[("b", 0), ("c", 0)], &[("a", 0), ("c", 0)], &[("a", 0), ("b", 1), ("c", 1)]];
    let crowd = kinds.iter().cycle().take(3_000).map(|kind| {
        let mut waits = Box::pin(set.acquire_async(*kind));
        assert!(waits.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop())).is_pending());
        waits
    });
    let crowd: Vec<_> = crowd.collect();
    let heads = |engine: &Engine| engine.act(|board, _, _| board.queue.heads().len());
    assert_eq!((heads(engine), crowd.len()), (3, 3_000));
    drop(crowd);
    assert_eq!(heads(engine), 0);
}
