//! Models of the lane, the queue, grants and cancellation, which loom runs through every order in which threads can meet.
//!
//! `RUSTFLAGS='--cfg loom' cargo test -p concurry-limits --lib --release` runs them.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use concurry_core::clock::ManualClock;
use loom::future::block_on;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use super::LimitSet;
use crate::{CallLimit, LimitPool, LimitPoolBalancing, RateLimitAlgorithm, ResourceLimit, Window};

/// Runs a model; three switches by force in each run find what there is to be found here, and end in seconds.
fn model(run: impl Fn() + Send + Sync + 'static) {
    model_of_switches(3, run);
}

fn model_of_switches(by_force: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(by_force);
    model.check(run);
}

/// One door, past the lock.
fn door() -> LimitSet {
    door_by(Arc::new(ManualClock::new()))
}

fn door_by(clock: Arc<ManualClock>) -> LimitSet {
    LimitSet::builder().clock(clock).limit(ResourceLimit::new("door", 1)).build().unwrap()
}

/// One door, under the lock, given back past it.
fn locked_door() -> LimitSet {
    let clock = Arc::new(ManualClock::new());
    // Of the calls nothing is given back.
    let calls = CallLimit::new(99, Window::SECOND).algorithm(RateLimitAlgorithm::Gcra);
    LimitSet::builder().clock(clock).limit(ResourceLimit::new("door", 1)).limit(calls).build().unwrap()
}

fn assert_all_is_back(set: &LimitSet) {
    let stats = set.stats();
    assert!(stats.limits[0].in_use == 0 && stats.limits.iter().all(|limit| limit.waiting == 0), "{stats:?}");
    drop(set.try_acquire(()).expect("nobody is inside"));
}

#[test]
fn two_who_try_are_never_both_inside() {
    model(|| {
        let (set, inside) = (door(), loom::sync::Arc::new(AtomicU64::new(0)));
        let other = thread::spawn({
            let (set, inside) = (set.clone(), inside.clone());
            move || enter(&set, &inside)
        });
        enter(&set, &inside);
        other.join().unwrap();
        assert_all_is_back(&set);
    });
}

fn enter(set: &LimitSet, inside: &AtomicU64) {
    if let Ok(acquired) = set.try_acquire(()) {
        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
        inside.fetch_sub(1, Ordering::SeqCst);
        drop(acquired);
    }
}

#[test]
fn who_looks_while_others_come_and_go_sees_a_true_count() {
    model(|| {
        let set = door();
        let other = thread::spawn({
            let set = set.clone();
            move || u64::from(set.try_acquire(()).is_ok())
        });
        let seen = set.stats().limits[0].in_use;
        assert!(seen <= 1);
        let admitted = other.join().unwrap();
        assert_eq!(set.stats().limits[0].admitted, admitted);
        assert_all_is_back(&set);
    });
}

#[test]
fn what_is_given_back_past_the_lock_is_counted_once() {
    model(|| {
        let set = locked_door();
        let held = set.try_acquire(()).expect("nobody is inside");
        let other = thread::spawn(move || drop(held));
        // The one takes, and subtracts what was given back; the other closes, and looks.
        let entered = set.try_acquire(()).is_ok();
        assert!(set.stats().limits[0].in_use <= 1);
        other.join().unwrap();
        assert_eq!(set.stats().limits[0].admitted, 1 + u64::from(entered));
        assert_all_is_back(&set);
    });
}

#[test]
fn a_rate_admits_no_more_than_there_is_whoever_closes_the_lane() {
    model(|| {
        let clock = Arc::new(ManualClock::new());
        let calls = CallLimit::new(2, Window::SECOND).algorithm(RateLimitAlgorithm::Gcra);
        let set = LimitSet::builder().clock(clock).limit(calls).build().unwrap();
        let other = thread::spawn({
            let set = set.clone();
            move || (0..2).filter(|_| set.try_acquire(()).is_ok()).count()
        });
        drop(set.stats());
        let mine = usize::from(set.try_acquire(()).is_ok());
        assert_eq!(mine + other.join().unwrap(), 2);
        assert_eq!(set.stats().limits[0].admitted, 2);
    });
}

#[test]
fn admissions_that_have_no_room_any_more_are_counted_once() {
    model(|| {
        let clock = Arc::new(ManualClock::new());
        let calls = CallLimit::new(99, Window::SECOND).algorithm(RateLimitAlgorithm::Gcra);
        let set = LimitSet::builder().clock(clock).limit(calls).build().unwrap();
        let take = |set: &LimitSet| drop(set.try_acquire(()).expect("there is plenty"));
        // For so many there is room in a model; each of the next finds none, or that the other has made some.
        (0..3).for_each(|_| take(&set));
        let other = thread::spawn({
            let set = set.clone();
            move || take(&set)
        });
        take(&set);
        assert!((4..=5).contains(&set.stats().limits[0].admitted));
        other.join().unwrap();
        let calls = &set.stats().limits[0];
        assert_eq!((calls.admitted, calls.in_use, calls.refused), (5, 5, 0));
    });
}

#[test]
fn a_release_reaches_who_waits_past_the_lock() {
    a_release_reaches_who_waits(door);
}

#[test]
fn a_release_reaches_who_waits_under_the_lock() {
    a_release_reaches_who_waits(locked_door);
}

/// Loom reports it as a deadlock if a wake-up is lost.
fn a_release_reaches_who_waits(door: fn() -> LimitSet) {
    model(move || {
        let set = door();
        let held = set.try_acquire(()).expect("the door is free");
        let waiter = thread::spawn({
            let set = set.clone();
            move || drop(block_on(set.acquire_async(())).expect("it is free in the end"))
        });
        drop(held);
        waiter.join().unwrap();
        assert_all_is_back(&set);
    });
}

#[test]
fn who_gives_up_keeps_nothing_and_holds_nobody_up() {
    model(|| {
        let set = door();
        let held = set.try_acquire(()).expect("the door is free");
        let quitter = thread::spawn({
            let set = set.clone();
            move || {
                let mut waiting = pin!(set.acquire_async(()));
                // It is granted, or dropped in the queue, or dropped with a grant that it has not seen.
                drop(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())));
            }
        });
        let next = thread::spawn({
            let set = set.clone();
            move || drop(block_on(set.acquire_async(())).expect("it is free in the end"))
        });
        drop(held);
        quitter.join().unwrap();
        next.join().unwrap();
        assert_all_is_back(&set);
    });
}

#[test]
fn who_waits_in_two_sets_is_granted_by_one_of_them() {
    // With two sets and three threads, a third switch takes half a minute.
    model_of_switches(2, || {
        let clock = Arc::new(ManualClock::new());
        let sets = [(); 2].map(|()| door_by(Arc::clone(&clock)));
        let pool = LimitPool::new(sets.clone()).load_balancing(LimitPoolBalancing::EarliestAvailable);
        let both = sets.each_ref().map(|set| set.try_acquire(()).expect("the door is free"));
        // Both are given back while it lines up, in either order, or at one moment.
        let others = both.map(|held| thread::spawn(move || drop(held)));
        let granted = block_on(pool.acquire_async(())).expect("both are free in the end");
        others.into_iter().for_each(|other| other.join().unwrap());
        let in_use = |set: &LimitSet| set.stats().limits[0].in_use;
        assert_eq!((in_use(&sets[granted.set_index()]), sets.iter().map(in_use).sum::<u64>()), (1, 1));
        drop(granted);
        assert_eq!(sets.iter().map(|set| set.stats().limits[0].admitted).sum::<u64>(), 3);
        assert_eq!(pool.stats().sets.iter().map(|pooled| pooled.picks).sum::<u64>(), 1);
        sets.iter().for_each(assert_all_is_back);
    });
}
