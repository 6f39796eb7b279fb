//! Which set of a pool serves a request.

use std::collections::BTreeMap;

use concurry_core::clock::{Clock, ManualClock};
use concurry_limits::LimitPoolBalancing::{EarliestAvailable, Random, RoundRobin};
use concurry_limits::{
    Acquire, CallLimit, IntoLimits, Limit, LimitError, LimitPool, LimitSet, LimitSetAcquisition, RateLimit,
    ResourceLimit, Window,
};

use crate::common::{SECOND, Task, in_use, on, seconds, wait_for_waiters, waiters};

fn door(clock: &ManualClock, name: &str, capacity: u64) -> LimitSet {
    let config = serde_json::json!({ "name": name });
    on(clock).limit(ResourceLimit::new("doors", capacity)).config(config).build().expect("a valid limit")
}

fn doors(capacities: &[u64]) -> (ManualClock, LimitPool) {
    let clock = ManualClock::new();
    let sets =
        capacities.iter().enumerate().map(|(index, capacity)| door(&clock, &index.to_string(), *capacity));
    (clock.clone(), LimitPool::new(sets))
}

fn picked(pool: &LimitPool, count: usize) -> Vec<usize> {
    (0..count).map(|_| pool.acquire(()).expect("free doors").set_index()).collect()
}

#[test]
fn round_robin_starts_at_the_workers_index() {
    let (_clock, pool) = doors(&[1, 1, 1]);
    assert_eq!(pool.stats().balancing, RoundRobin);
    for worker in 0..5 {
        let pool = pool.clone().with_worker_index(worker);
        let expected: Vec<_> = (0..4).map(|turn| (worker + turn) % 3).collect();
        assert_eq!(picked(&pool, 4), expected);
        assert_eq!(pool.worker_index(), worker);
    }
}

#[test]
fn what_is_held_tells_its_set_however_it_was_acquired() {
    let clock = ManualClock::new();
    let several = || {
        let set = on(&clock).limit(ResourceLimit::new("doors", 2)).limit(CallLimit::new(9, Window::SECOND));
        set.build().expect("valid limits")
    };
    for pool in [doors(&[2, 2, 2]).1, LimitPool::new([several(), several(), several()])] {
        let pool = pool.with_worker_index(2);
        let polled = |request: Acquire| Task::new(request).poll().expect("it is free").expect("it fits");
        let held = [
            pool.acquire(()).expect("it is free"),
            polled(pool.acquire_async(())),
            polled(pool.acquire_async(BTreeMap::from([("doors", 2)]))),
            pool.try_acquire([("doors", 1)]).expect("it is free"),
            pool.acquire_timeout(vec![("doors", 1)], SECOND).expect("it is free"),
        ];
        assert_eq!(held.each_ref().map(LimitSetAcquisition::set_index), [2, 0, 1, 2, 0]);
        let mut task = Task::waiting(pool.acquire_async(()));
        let thread = std::thread::spawn({
            let pool = pool.clone().with_worker_index(2);
            move || pool.acquire(()).map(|held| held.set_index())
        });
        wait_for_waiters(&pool[1], "doors", 1);
        wait_for_waiters(&pool[2], "doors", 1);
        drop(held);
        assert_eq!(task.woken().expect("it is free").set_index(), 1);
        assert_eq!(thread.join().expect("no panic"), Ok(2));
    }
}

#[test]
fn a_clone_has_the_same_sets_and_a_position_of_its_own() {
    let (_clock, pool) = doors(&[1, 1, 1]);
    let pool = pool.with_worker_index(1);
    assert_eq!(picked(&pool, 1), [1]);
    let clone = pool.clone();
    assert_eq!((picked(&clone, 2), picked(&pool, 1)), (vec![1, 2], vec![2]));
    let held = pool[0].acquire(()).unwrap();
    assert_eq!(in_use(&clone[0], "doors"), 1);
    drop(held);
}

#[test]
fn an_acquisition_carries_the_configuration_of_its_set() {
    let (_clock, pool) = doors(&[1, 1]);
    assert_eq!(pool.acquire(()).unwrap().config()["name"], "0");
    assert_eq!(concurry_core::park::block_on(pool.acquire_async(())).unwrap().config()["name"], "1");
}

#[test]
fn random_picks_every_set_sooner_or_later() {
    let (_clock, pool) = doors(&[1, 1, 1]);
    let pool = pool.load_balancing(Random);
    let picks = picked(&pool, 300);
    assert!((0..3).all(|set| picks.iter().filter(|pick| **pick == set).count() > 30));
    assert!(
        picks.windows(2).any(|two| two[1] != (two[0] + 1) % 3),
        "that is no chance, but one after the other"
    );
}

#[test]
fn an_empty_pool_is_an_error_when_it_is_used() {
    let pool = LimitPool::new([]);
    assert!(pool.is_empty());
    assert_eq!(pool.acquire(()).unwrap_err(), LimitError::EmptyPool);
    assert_eq!(concurry_core::park::block_on(pool.acquire_async(())).unwrap_err(), LimitError::EmptyPool);
}

#[test]
fn the_default_pool_limits_nothing() {
    let pool = LimitPool::default();
    assert!(!pool.is_empty() && pool[0].is_empty());
    drop(pool.acquire([("anything", 1)]).unwrap());
}

#[test]
fn stats_count_the_picks_of_this_pool() {
    for balancing in [RoundRobin, EarliestAvailable] {
        let (_clock, pool) = doors(&[4, 4]);
        let pool = pool.load_balancing(balancing).with_worker_index(1);
        assert_eq!(picked(&pool, 3), [1, 0, 1]);
        let stats = pool.stats();
        assert_eq!(stats.sets.iter().map(|set| set.picks).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((stats.worker_index, stats.balancing), (1, balancing));
        assert_eq!(stats.sets[1].set.limits[0].admitted, 2);
    }
}

#[test]
fn earliest_available_takes_a_set_that_admits_now() {
    let (_clock, pool) = doors(&[1, 1, 1]);
    let pool = pool.load_balancing(EarliestAvailable);
    let held = [pool[0].acquire(()).unwrap(), pool[2].acquire(()).unwrap()];
    for _ in 0..3 {
        assert_eq!(pool.try_acquire(()).unwrap().set_index(), 1);
    }
    drop(held);
}

#[test]
fn earliest_available_waits_in_all_sets_and_takes_from_one_only() {
    let (_clock, pool) = doors(&[1, 1]);
    let pool = pool.load_balancing(EarliestAvailable);
    let held = [pool[0].acquire(()).unwrap(), pool[1].acquire(()).unwrap()];
    let mut task = Task::waiting(pool.acquire_async(()));
    assert_eq!((waiters(&pool[0], "doors"), waiters(&pool[1], "doors")), (1, 1));
    let [zero, one] = held;
    drop(one);
    drop(zero); // both are free before the task runs
    let acquired = task.woken().unwrap();
    assert_eq!(acquired.set_index(), 1);
    assert_eq!((in_use(&pool[0], "doors"), in_use(&pool[1], "doors")), (0, 1));
    assert_eq!((waiters(&pool[0], "doors"), waiters(&pool[1], "doors")), (0, 0));
    drop(acquired);
}

#[test]
fn earliest_available_moves_to_the_set_that_frees_up_first_in_time() {
    let clock = ManualClock::new();
    let rate = |window| on(&clock).limit(RateLimit::new("tokens", 1, seconds(window))).build().unwrap();
    let pool = LimitPool::new([rate(9), rate(4), rate(6)]).load_balancing(EarliestAvailable);
    for set in pool.sets() {
        drop(set.acquire([("tokens", 1)]).unwrap());
    }
    let error = pool.try_acquire([("tokens", 1)]).unwrap_err();
    assert!(matches!(error, LimitError::Unavailable { available_in: Some(wait), .. } if wait == seconds(4)));
    let thread = {
        let pool = pool.clone();
        std::thread::spawn(move || pool.acquire([("tokens", 1)]).unwrap().set_index())
    };
    clock.wait_for_sleepers(1);
    assert_eq!(clock.next_wake(), Some(clock.now() + seconds(4)));
    clock.advance(seconds(4));
    assert_eq!(thread.join().unwrap(), 1);
    assert_eq!([0, 1, 2].map(|index| waiters(&pool[index], "tokens")), [0, 0, 0]);
    assert_eq!([0, 1, 2].map(|index| pool[index].stats().limits[0].admitted), [1, 2, 1]);
}

#[test]
fn earliest_available_that_is_dropped_leaves_every_queue() {
    let (_clock, pool) = doors(&[1, 1]);
    let pool = pool.load_balancing(EarliestAvailable);
    let held = [pool[0].acquire(()).unwrap(), pool[1].acquire(()).unwrap()];
    let task = Task::waiting(pool.acquire_async(()));
    let mut behind = Task::waiting(pool[1].acquire_async(()));
    let [zero, one] = held;
    drop(one);
    assert_eq!((task.wakes(), behind.wakes()), (1, 0));
    drop(task);
    assert!(behind.woken().is_ok());
    assert_eq!((waiters(&pool[0], "doors"), in_use(&pool[1], "doors")), (0, 0));
    drop(zero);
}

#[test]
fn earliest_available_passes_over_sets_that_cannot_serve_and_fails_when_none_can() {
    let (_clock, pool) = doors(&[1, 5]);
    let pool = pool.load_balancing(EarliestAvailable);
    for _ in 0..2 {
        assert_eq!(pool.acquire([("doors", 3)]).unwrap().set_index(), 1);
    }
    assert!(matches!(pool.acquire([("doors", 6)]), Err(LimitError::Never { .. })));
    assert!(matches!(pool.acquire([("windows", 1)]), Err(LimitError::UnknownKey { .. })));
    let held = pool[1].acquire([("doors", 5)]).unwrap();
    let mut task = Task::waiting(pool.acquire_async([("doors", 3)]));
    pool[1].set_capacity("doors", 2).unwrap();
    assert!(matches!(task.woken(), Err(LimitError::Never { .. })));
    drop(held);
}

#[test]
fn earliest_available_gives_up_at_its_deadline() {
    let (clock, pool) = doors(&[1, 1]);
    let pool = pool.load_balancing(EarliestAvailable);
    let held = [pool[0].acquire(()).unwrap(), pool[1].acquire(()).unwrap()];
    let mut task = Task::waiting(pool.acquire_async_timeout((), SECOND));
    clock.advance(SECOND);
    assert!(matches!(task.woken(), Err(LimitError::Timeout { waited: SECOND, .. })));
    assert_eq!((waiters(&pool[0], "doors"), waiters(&pool[1], "doors")), (0, 0));
    drop(held);
}

#[test]
fn threads_that_wait_in_many_sets_never_hold_more_than_all_have() {
    let pool =
        LimitPool::new([1, 2].map(|capacity| {
            LimitSet::builder().limit(ResourceLimit::new("doors", capacity)).build().unwrap()
        }));
    let pool = pool.load_balancing(EarliestAvailable);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| (0..300).for_each(|_| drop(pool.acquire(()).unwrap())));
        }
    });
    let admitted: u64 = pool.sets().iter().map(|set| set.stats().limits[0].admitted).sum();
    assert_eq!(admitted, 1_800);
    assert!(pool.sets().iter().all(|set| in_use(set, "doors") == 0 && waiters(set, "doors") == 0));
}

#[test]
fn a_private_set_is_fresh_for_each_worker_and_a_shared_one_is_not() {
    let private = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).private().build().unwrap();
    let shared = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).build().unwrap();
    let pool = LimitPool::new([private, shared]);
    let (one, two) = (pool.for_worker(0), pool.for_worker(1));
    let held = [one[0].acquire(()).unwrap(), one[1].acquire(()).unwrap()];
    assert_eq!((in_use(&two[0], "doors"), in_use(&two[1], "doors")), (0, 1));
    assert_eq!(two.worker_index(), 1);
    drop(held);
}

#[test]
fn everything_that_limits_can_become_a_pool() {
    let set = LimitSet::builder().limit(CallLimit::new(1, Window::SECOND)).build().unwrap();
    assert_eq!(().into_limits().unwrap().sets().len(), 1);
    assert_eq!((&set).into_limits().unwrap().sets().len(), 1);
    assert_eq!([set.clone(), set.clone()].into_limits().unwrap().sets().len(), 2);
    assert_eq!(vec![set.clone(); 3].into_limits().unwrap().sets().len(), 3);
    assert_eq!(LimitPool::new([set]).into_limits().unwrap().sets().len(), 1);
    let limits: Vec<Box<dyn Limit>> =
        vec![Box::new(CallLimit::new(1, Window::SECOND)), Box::new(ResourceLimit::new("doors", 1))];
    assert_eq!(limits.into_limits().unwrap()[0].keys().count(), 2);
    assert_eq!(
        [ResourceLimit::new("a", 1), ResourceLimit::new("b", 1)].into_limits().unwrap()[0].keys().count(),
        2
    );
    assert!(vec![ResourceLimit::new("a", 1), ResourceLimit::new("a", 1)].into_limits().is_err());
}

#[test]
fn each_worker_of_a_pool_starts_on_another_set() {
    let (_clock, pool) = doors(&[1, 1, 1]);
    let firsts: Vec<_> = (0..4).map(|worker| picked(&pool.for_worker(worker), 2)).collect();
    assert_eq!(firsts, [[0, 1], [1, 2], [2, 0], [0, 1]]);
    let private = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).private().build().unwrap();
    let pool = LimitPool::new([private, pool[0].clone()]);
    assert_eq!([0, 1].map(|worker| picked(&pool.for_worker(worker), 1)), [[0], [1]]);
}

#[test]
fn a_pool_is_looked_into_by_position_and_key() {
    let set = |capacity| {
        let tokens = RateLimit::new("tokens", capacity, Window::SECOND);
        LimitSet::builder().limit(tokens).limit(ResourceLimit::new("doors", 2)).build().unwrap()
    };
    let pool = LimitPool::new([set(10), set(20)]);
    let capacities = [0, 1].map(|index| pool[index].limit("tokens").map(Limit::capacity));
    assert_eq!(capacities, [Some(10), Some(20)]);
    assert_eq!(pool[1].limit("doors").unwrap().default_amount(), Some(1));
    assert!(pool[1].limit("windows").is_none());
}

#[test]
fn earliest_available_moves_when_another_set_becomes_the_first_to_free_up() {
    let clock = ManualClock::new();
    let rate = |window| on(&clock).limit(RateLimit::new("tokens", 1, seconds(window))).build().unwrap();
    let pool = LimitPool::new([rate(9), rate(4), rate(6)]).load_balancing(EarliestAvailable);
    for set in pool.sets() {
        drop(set.acquire([("tokens", 1)]).unwrap());
    }
    let thread = {
        let pool = pool.clone();
        std::thread::spawn(move || pool.acquire([("tokens", 1)]).unwrap().set_index())
    };
    clock.wait_for_sleepers(1);
    let mut task = Task::waiting(pool.acquire_async([("tokens", 1)]));
    // The best of them is put off, so the thread goes to the one after it, and the task to the last.
    pool[1].pause("tokens", seconds(60)).unwrap();
    clock.advance(seconds(4));
    assert_eq!([0, 1, 2].map(|index| waiters(&pool[index], "tokens")), [2, 2, 2]);
    clock.wait_for_sleepers(1);
    clock.advance(seconds(2));
    assert_eq!(thread.join().unwrap(), 2);
    assert_eq!(task.wakes(), 0);
    // And what is raised is there at once.
    pool[0].set_capacity("tokens", 2).unwrap();
    assert_eq!(task.woken().unwrap().set_index(), 0);
    assert_eq!([0, 1, 2].map(|index| waiters(&pool[index], "tokens")), [0, 0, 0]);
    assert_eq!([0, 1, 2].map(|index| pool[index].stats().limits[0].admitted), [2, 1, 2]);
}

#[test]
fn a_timeout_of_a_pool_names_the_set_that_could_admit_first() {
    let clock = ManualClock::new();
    let rate = |window| on(&clock).limit(RateLimit::new("tokens", 1, seconds(window))).build().unwrap();
    let pool = LimitPool::new([rate(5), rate(4), door(&clock, "", 1)]).load_balancing(EarliestAvailable);
    // The first request begins with the last set, and the second with the first, which is not the best.
    let pool = pool.with_worker_index(2);
    drop((pool[0].acquire([("tokens", 1)]).unwrap(), pool[1].acquire([("tokens", 1)]).unwrap()));
    let error = pool.acquire_timeout([("tokens", 1)], seconds(3)).unwrap_err();
    let LimitError::Timeout { available_in: Some(wait), waited, .. } = error else { panic!("{error:?}") };
    assert_eq!((wait, waited), (seconds(4), seconds(0)));
    // One that waits out its time in each set is told the same, unless others are ahead of it there, of whom nobody knows what
    // they leave.
    for is_behind in [false, true] {
        let ahead =
            [0, 1].map(|index| is_behind.then(|| Task::waiting(pool[index].acquire_async([("tokens", 1)]))));
        pool[1].pause("tokens", seconds(6)).unwrap();
        let mut task = Task::waiting(pool.acquire_async_timeout([("tokens", 1)], seconds(6)));
        pool[0].pause("tokens", seconds(10)).unwrap();
        pool[1].pause("tokens", seconds(7)).unwrap();
        clock.advance(seconds(6));
        let Err(LimitError::Timeout { available_in, waited, .. }) = task.woken() else { panic!() };
        assert_eq!((available_in, waited), ((!is_behind).then_some(seconds(1)), seconds(6)));
        drop(ahead);
    }
}

/// Two sets whose clocks show times that are a day apart, each with a token in use for so many seconds.
fn apart(windows: [u64; 2]) -> ([ManualClock; 2], LimitPool) {
    let clocks = [ManualClock::new(), ManualClock::new()];
    clocks[0].advance(seconds(86_400));
    let sets = [0, 1].map(|set| {
        let rate = RateLimit::new("tokens", 1, seconds(windows[set]));
        let set = on(&clocks[set]).limit(rate).build().expect("a valid limit");
        drop(set.acquire([("tokens", 1)]).expect("it is the first"));
        set
    });
    (clocks, LimitPool::new(sets).load_balancing(EarliestAvailable))
}

#[test]
fn sets_with_clocks_of_their_own_are_each_asked_by_their_own() {
    for first in [0, 1] {
        let (clocks, pool) = apart([9, 4]);
        let pool = pool.with_worker_index(first);
        let error = pool.try_acquire([("tokens", 1)]).unwrap_err();
        assert!(
            matches!(error, LimitError::Unavailable { available_in: Some(wait), .. } if wait == seconds(4)),
            "{error:?}"
        );
        let error = pool.acquire_timeout([("tokens", 1)], seconds(3)).unwrap_err();
        let LimitError::Timeout { available_in: Some(wait), waited, .. } = error else { panic!("{error:?}") };
        assert_eq!((wait, waited), (seconds(4), seconds(0)));
        let mut task = Task::waiting(pool.acquire_async_timeout([("tokens", 1)], seconds(5)));
        clocks[1].advance(seconds(4));
        assert_eq!(task.woken().expect("by its own clock it is in time").set_index(), 1);
        assert_eq!([0, 1].map(|set| waiters(&pool[set], "tokens")), [0, 0]);
    }
}

#[test]
fn a_thread_that_waits_by_several_clocks_is_woken_by_each() {
    for winner in [0, 1] {
        let (clocks, pool) = apart([9, 9]);
        let thread = std::thread::spawn({
            let pool = pool.clone();
            move || pool.acquire([("tokens", 1)])
        });
        for clock in &clocks {
            clock.wait_for_sleepers(1);
        }
        clocks[winner].advance(seconds(9));
        let acquired = thread.join().unwrap().unwrap();
        assert_eq!(acquired.set_index(), winner);
        assert_eq!([0, 1].map(|set| waiters(&pool[set], "tokens")), [0, 0]);
        let admitted = [winner, 1 - winner].map(|set| pool[set].stats().limits[0].admitted);
        assert_eq!(admitted, [2, 1]);
    }
}

#[test]
fn earliest_available_waits_on_where_it_can_when_one_set_can_never_admit_it() {
    let (_clock, pool) = doors(&[3, 3]);
    let pool = pool.load_balancing(EarliestAvailable);
    let [zero, one] = [0, 1].map(|index| pool[index].acquire([("doors", 3)]).unwrap());
    let mut task = Task::waiting(pool.acquire_async([("doors", 2)]));
    pool[0].set_capacity("doors", 1).unwrap();
    assert_eq!((task.wakes(), waiters(&pool[0], "doors"), waiters(&pool[1], "doors")), (0, 0, 1));
    drop((zero, one));
    assert_eq!(task.woken().unwrap().set_index(), 1);
}

#[test]
fn who_was_granted_by_one_set_holds_nobody_up_in_another_before_it_looks() {
    let (_clock, pool) = doors(&[5, 5]);
    let pool = pool.load_balancing(EarliestAvailable);
    let one = pool[0].acquire([("doors", 5)]).unwrap();
    let (two, three) = (pool[1].acquire([("doors", 2)]).unwrap(), pool[1].acquire([("doors", 3)]).unwrap());
    let mut large = Task::waiting(pool.acquire_async([("doors", 5)]));
    let mut small = Task::waiting(pool[1].acquire_async([("doors", 2)]));
    drop(one);
    drop(two);
    assert_eq!(small.woken().unwrap().requested("doors"), Some(2));
    assert_eq!(large.woken().unwrap().set_index(), 0);
    drop(three);
    assert_eq!((waiters(&pool[0], "doors"), waiters(&pool[1], "doors")), (0, 0));
}
