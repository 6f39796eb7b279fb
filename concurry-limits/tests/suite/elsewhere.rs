//! Who was granted by one set of a pool holds nobody up in the others, though it has not run yet.

use concurry_core::clock::ManualClock;
use concurry_limits::LimitPoolBalancing::EarliestAvailable;
use concurry_limits::{Admission, LimitPool, LimitSetAcquisition, ResourceLimit};

use crate::common::{SECOND, Task, in_use, on, waiters};

const DOORS: &str = "doors";

/// Two sets of five doors each: all of the first are held, and two of the second; and one who wants five of either.
fn one_who_wants_all() -> (LimitPool, LimitSetAcquisition, LimitSetAcquisition, Task) {
    let clock = ManualClock::new();
    let doors = || on(&clock).limit(ResourceLimit::new(DOORS, 5)).build().expect("a valid limit");
    let pool = LimitPool::new([doors(), doors()]).load_balancing(EarliestAvailable);
    let take = |index: usize, doors| pool[index].acquire([(DOORS, doors)]).expect("all are free");
    let held = (take(0, 5), take(1, 2));
    let task = Task::waiting(pool.acquire_async([(DOORS, 5)]));
    assert_eq!([0, 1].map(|index| waiters(&pool[index], DOORS)), [1, 1]);
    (pool, held.0, held.1, task)
}

#[test]
fn a_newcomer_is_admitted_by_the_other_set() {
    let (pool, held, _two, mut task) = one_who_wants_all();
    drop(held);
    assert_eq!((task.wakes(), in_use(&pool[0], DOORS)), (1, 5), "granted, and not polled");
    assert_eq!(pool[1].would_admit([(DOORS, 2)]), Admission::Now);
    drop(pool[1].try_acquire([(DOORS, 2)]).expect("nobody is in its way"));
    drop(pool[1].acquire_timeout([(DOORS, 2)], SECOND).expect("nobody is in its way"));
    let mut newcomer = Task::new(pool[1].acquire_async([(DOORS, 2)]));
    drop(newcomer.poll().expect("nobody is in its way").unwrap());
    assert_eq!(task.woken().unwrap().set_index(), 0);
    assert_eq!([0, 1].map(|index| waiters(&pool[index], DOORS)), [0, 0]);
}

#[test]
fn who_stands_behind_it_in_the_other_set_is_woken() {
    let (pool, held, _two, mut task) = one_who_wants_all();
    let mut behind = Task::waiting(pool[1].acquire_async([(DOORS, 2)]));
    let mut third = Task::waiting(pool[1].acquire_async([(DOORS, 3)]));
    drop(held);
    let behind = behind.woken().expect("nobody is in its way any more");
    assert_eq!(third.wakes(), 0);
    drop(behind);
    drop(third.woken().unwrap());
    assert_eq!(task.woken().unwrap().set_index(), 0);
}

#[test]
fn who_was_granted_elsewhere_is_passed_over_also_where_it_stands_behind_another() {
    let clock = ManualClock::new();
    let two = || on(&clock).limit(ResourceLimit::new("x", 1)).limit(ResourceLimit::new("y", 1)).build();
    let pool = LimitPool::new([two().unwrap(), two().unwrap()]).load_balancing(EarliestAvailable);
    let (free, set) = (&pool[0], &pool[1]);
    let only = |key: &'static str| [(key, 1), (if key == "x" { "y" } else { "x" }, 0)];
    let (held, x) = (free.acquire(()).unwrap(), set.acquire(only("x")).unwrap());
    let mut first = Task::waiting(set.acquire_async(only("x")));
    let mut both = Task::waiting(pool.acquire_async(()));
    let mut last = Task::waiting(set.acquire_async(only("y")));
    drop(held);
    drop(last.woken().expect("who stood before it was granted by the other set"));
    assert_eq!(first.wakes(), 0);
    drop(x);
    drop((first.woken().unwrap(), both.woken().unwrap()));
}

#[test]
fn it_is_refused_by_no_other_set() {
    let (pool, held, _two, mut task) = one_who_wants_all();
    drop(held);
    pool[1].set_capacity(DOORS, 3).unwrap();
    assert_eq!(pool[1].stats().limits[0].refused, 0);
    drop(task.woken().unwrap());
}
