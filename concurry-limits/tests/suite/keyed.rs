//! A limit a tenant: bounded memory, and no truth lost.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use concurry_core::clock::ManualClock;
use concurry_limits::RateLimitAlgorithm::{self, FixedWindow, Gcra, LeakyBucket, SlidingWindow, TokenBucket};
use concurry_limits::{
    Admission, CallLimit, Feedback, KeyedLimits, Limit, LimitError, LimitSet, LimitSetAcquisition,
    LimitSetBuilder, LimitSetError, Overrun, RateLimit, ResourceLimit, Window,
};
use proptest::prelude::*;

use crate::common::{NANO, SECOND, Task, just_before, on, seconds, wait_for_waiters};

const ALGORITHMS: [RateLimitAlgorithm; 5] = [TokenBucket, LeakyBucket, SlidingWindow, FixedWindow, Gcra];

/// One limit a key, and of which nothing is remembered that need not be.
fn forgetful(clock: &ManualClock, limit: impl Limit + 'static) -> KeyedLimits<u64> {
    KeyedLimits::builder(on(clock).limit(limit)).max_keys(1).build().expect("valid limits")
}

/// Looks another key up so often that every walk has its turn.
fn stir(tenants: &KeyedLimits<u64>) {
    for _ in 0..40 * (tenants.len() + 16) {
        drop(tenants.get(&u64::MAX).expect("valid limits"));
    }
}

#[test]
fn each_key_has_limits_of_its_own() {
    let clock = ManualClock::new();
    let tenants: KeyedLimits<String> =
        KeyedLimits::builder(on(&clock).limit(CallLimit::new(1, Window::SECOND))).build().unwrap();
    drop(tenants.acquire("blue", ()).unwrap());
    let LimitError::Unavailable { available_in, .. } = tenants.try_acquire("blue", ()).unwrap_err() else {
        panic!("it is a refusal")
    };
    assert_eq!(available_in, Some(seconds(1)));
    drop(tenants.try_acquire("green", ()).unwrap());
    let late = tenants.acquire_timeout("blue", (), Duration::from_millis(10)).unwrap_err();
    assert!(matches!(late, LimitError::Timeout { .. }), "{late}");
    let mut task = Task::waiting(tenants.acquire_async("blue", ()));
    clock.advance(seconds(1));
    drop(task.woken().unwrap());
}

#[test]
fn a_template_may_differ_by_key() {
    let clock = ManualClock::new();
    let tenants = KeyedLimits::builder_with(|size: &u64| {
        LimitSet::builder()
            .limit(ResourceLimit::new("slots", *size))
            .config(serde_json::json!({ "size": size }))
    })
    .clock(Arc::new(clock))
    .build()
    .unwrap();
    assert_eq!(tenants.get(&3).unwrap().limit("slots").unwrap().capacity(), 3);
    assert_eq!(tenants.acquire(&4, [("slots", 4)]).unwrap().config()["size"], 4);
    let error = tenants.acquire(&0, ()).unwrap_err();
    assert!(error.to_string().contains("limit `slots` has a capacity of 0"), "{error}");
    assert_eq!(tenants.len(), 2);
}

#[test]
fn a_template_that_is_wrong_for_all_keys_is_refused_at_once() {
    let error =
        KeyedLimits::<u64>::builder(LimitSet::builder().limit(ResourceLimit::new("slots", 0))).build();
    assert_eq!(error.unwrap_err(), LimitSetError::ZeroCapacity { key: "slots".into() });
}

#[test]
fn keys_without_limits_are_not_remembered() {
    let tenants: KeyedLimits<u64> = KeyedLimits::builder(LimitSet::builder()).build().unwrap();
    drop(tenants.acquire(&1, [("tokens", 5)]).unwrap());
    assert!(tenants.is_empty());
}

#[test]
fn two_threads_that_ask_for_one_new_key_get_one_set() {
    for round in 0..200 {
        let tenants: KeyedLimits<u64> =
            KeyedLimits::builder(LimitSet::builder().limit(CallLimit::new(1, Window::DAY))).build().unwrap();
        let barrier = Arc::new(Barrier::new(2));
        let threads = [(); 2].map(|()| {
            let (tenants, barrier) = (tenants.clone(), Arc::clone(&barrier));
            std::thread::spawn(move || {
                barrier.wait();
                tenants.try_acquire(&round, ()).is_ok()
            })
        });
        let admitted = threads.map(|thread| thread.join().unwrap()).into_iter().filter(|won| *won).count();
        assert_eq!((admitted, tenants.len()), (1, 1));
    }
}

#[test]
fn keys_go_to_rest_and_wake_under_the_hands_of_many_threads() {
    const KEYS: usize = 24;
    let template = LimitSet::builder()
        .limit(ResourceLimit::new("slots", 1))
        .limit(RateLimit::new("tokens", 50, Window::DAY).algorithm(FixedWindow));
    let tenants: KeyedLimits<usize> = KeyedLimits::builder(template).max_keys(0).build().unwrap();
    let held: Arc<[AtomicBool; KEYS]> = Arc::new(std::array::from_fn(|_| AtomicBool::new(false)));
    let admitted: Arc<[AtomicUsize; KEYS]> = Arc::new(std::array::from_fn(|_| AtomicUsize::new(0)));
    let threads = (0..4).map(|thread| {
        let (tenants, held, admitted) = (tenants.clone(), Arc::clone(&held), Arc::clone(&admitted));
        std::thread::spawn(move || {
            for step in 0..6_000 {
                let key = (step * (2 * thread + 1)) % KEYS;
                let Ok(mut acquired) = tenants.try_acquire(&key, [("tokens", 1)]) else { continue };
                assert!(!held[key].swap(true, Ordering::SeqCst), "two hold the one slot of {key}");
                admitted[key].fetch_add(1, Ordering::SeqCst);
                acquired.update([("tokens", 1)]).unwrap();
                held[key].store(false, Ordering::SeqCst);
            }
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.join().unwrap();
    }
    for key in 0..KEYS {
        while let Ok(mut acquired) = tenants.try_acquire(&key, [("tokens", 1)]) {
            admitted[key].fetch_add(1, Ordering::SeqCst);
            acquired.update([("tokens", 1)]).unwrap();
        }
        assert_eq!(admitted[key].load(Ordering::SeqCst), 50, "key {key}");
    }
    assert_eq!(tenants.len(), tenants.stats().keys);
    assert_eq!(tenants.stats().limits[1].admitted, 50 * KEYS as u64);
}

#[test]
fn keys_are_forgotten_when_they_are_full_again_and_not_before() {
    for algorithm in [TokenBucket, LeakyBucket, SlidingWindow, Gcra] {
        let clock = ManualClock::new();
        let tenants = forgetful(&clock, RateLimit::new("tokens", 3, seconds(3)).algorithm(algorithm));
        for key in 0..1_000 {
            drop(tenants.acquire(&key, [("tokens", 3)]).unwrap());
        }
        clock.advance(just_before(seconds(3)));
        stir(&tenants);
        assert_eq!(tenants.len(), 1_001, "{algorithm}");
        assert!(tenants.try_acquire(&7, [("tokens", 3)]).is_err(), "{algorithm}");
        clock.advance(NANO);
        stir(&tenants);
        assert!(tenants.len() <= 40, "{algorithm}: {}", tenants.len());
        assert_eq!(tenants.stats().keys, tenants.len());
        drop(tenants.try_acquire(&7, [("tokens", 3)]).unwrap());
    }
}

#[test]
fn a_fixed_window_is_not_forgotten_since_it_says_when_the_next_one_begins() {
    let clock = ManualClock::new();
    let tenants = forgetful(&clock, CallLimit::new(1, seconds(10)).algorithm(FixedWindow));
    drop(tenants.acquire(&1, ()).unwrap());
    clock.advance(seconds(19));
    stir(&tenants);
    drop(tenants.acquire(&1, ()).unwrap());
    assert_eq!(tenants.get(&1).unwrap().would_admit(()), Admission::In(seconds(1), "call_count".into()));
}

#[test]
fn whatever_is_held_waited_for_or_steered_is_kept() {
    let clock = ManualClock::new();
    let tenants = forgetful(&clock, ResourceLimit::new("slots", 1));
    let held = tenants.acquire(&1, ()).unwrap();
    let waiting = std::thread::spawn({
        let tenants = tenants.clone();
        move || tenants.acquire(&1, ()).map(drop)
    });
    wait_for_waiters(&tenants.get(&1).unwrap(), "slots", 1);
    tenants.get(&2).unwrap().pause("slots", seconds(60)).unwrap();
    tenants.get(&3).unwrap().set_capacity("slots", 5).unwrap();
    let handle = tenants.get(&4).unwrap();
    stir(&tenants);
    assert_eq!(tenants.stats().limits[0].waiting, 1);
    assert_eq!(tenants.get(&2).unwrap().would_admit(()), Admission::In(seconds(60), "slots".into()));
    drop(tenants.acquire(&3, [("slots", 5)]).unwrap());
    let other = handle.acquire(()).unwrap();
    assert!(tenants.try_acquire(&4, ()).is_err(), "the handle and the key are one set");
    drop((other, held));
    waiting.join().unwrap().unwrap();
}

#[test]
fn what_a_server_allows_a_key_is_remembered() {
    let clock = ManualClock::new();
    let tenants = forgetful(&clock, CallLimit::new(100, SECOND));
    let mut acquired = tenants.acquire(&1, ()).unwrap();
    acquired.feedback(Feedback::remaining("call_count", 1, seconds(30)));
    acquired.release().unwrap();
    clock.advance(seconds(5));
    stir(&tenants);
    let two = [("call_count", 2)];
    assert_eq!(tenants.get(&1).unwrap().would_admit(two), Admission::In(seconds(25), "call_count".into()));
    clock.advance(seconds(25));
    stir(&tenants);
    assert_eq!(tenants.get(&1).unwrap().would_admit(two), Admission::Now);
}

#[test]
fn a_debt_is_remembered_to_the_end() {
    let clock = ManualClock::new();
    let limit = RateLimit::new("tokens", 7, seconds(1)).algorithm(Gcra).overrun(Overrun::Debt);
    let tenants = forgetful(&clock, limit);
    let mut acquired = tenants.acquire(&1, [("tokens", 7)]).unwrap();
    acquired.update([("tokens", 70)]).unwrap();
    acquired.release().unwrap();
    clock.advance(seconds(5));
    stir(&tenants);
    let expected = Duration::from_nanos(4_142_857_143); // 70 sevenths of a second, of which 5 have passed; room for one
    assert_eq!(
        tenants.get(&1).unwrap().would_admit([("tokens", 1)]),
        Admission::In(expected, "tokens".into())
    );
}

#[test]
fn the_sums_survive_the_forgetting() {
    let clock = ManualClock::new();
    let tenants = forgetful(&clock, CallLimit::new(1, seconds(1)));
    for key in 0..100 {
        drop(tenants.acquire(&key, ()).unwrap());
        tenants.try_acquire(&key, ()).unwrap_err();
    }
    clock.advance(seconds(1));
    stir(&tenants);
    let stats = tenants.stats();
    assert!(stats.forgotten >= 60, "{stats:?}");
    assert_eq!((stats.limits[0].admitted, stats.limits[0].refused), (100, 100));
    assert_eq!(
        serde_json::from_str::<concurry_limits::KeyedLimitsStats>(&serde_json::to_string(&stats).unwrap())
            .unwrap(),
        stats
    );
}

#[test]
fn limits_that_differ_from_tenant_to_tenant_have_a_sum_each() {
    let template = |tenant: &u64| {
        let own = ResourceLimit::new(format!("of {}", tenant % 300), 5);
        let builder = LimitSet::builder().limit(own);
        if tenant.is_multiple_of(2) { builder.limit(ResourceLimit::new("doors", 5)) } else { builder }
    };
    let tenants = KeyedLimits::builder_with(template).max_keys(1).build().unwrap();
    for tenant in (0..600).cycle().take(1_800) {
        drop(tenants.acquire(&tenant, ()).unwrap());
    }
    let limits = tenants.stats().limits;
    let admitted = |key: &str| limits.iter().find(|limit| limit.key == key).map(|limit| limit.admitted);
    assert_eq!((limits.len(), admitted("doors")), (301, Some(900)));
    assert!((0..300).all(|own| admitted(&format!("of {own}")) == Some(6)));
}

#[derive(Debug, Clone)]
enum Step {
    /// Asks for an amount and keeps what it gets.
    Try(u64, u64),
    /// Releases the oldest acquisition, with so much of 8 eighths used, or more.
    Release(u64),
    Advance(u64),
    Pause(u64, u64),
    Resume(u64),
    Capacity(u64, u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..12u64;
    let step = prop_oneof![
        6 => (key.clone(), 0..8u64).prop_map(|(key, amount)| Step::Try(key, amount)),
        4 => (0..12u64).prop_map(Step::Release),
        4 => (0..60u64).prop_map(Step::Advance),
        1 => (key.clone(), 0..40u64).prop_map(|(key, time)| Step::Pause(key, time)),
        1 => key.clone().prop_map(Step::Resume),
        1 => (key, 5..8u64).prop_map(|(key, capacity)| Step::Capacity(key, capacity)),
    ];
    prop::collection::vec(step, 1..150)
}

fn template(clock: &ManualClock, algorithms: &[RateLimitAlgorithm], window: u64) -> LimitSetBuilder {
    let limits = algorithms.iter().enumerate().map(|(index, algorithm)| {
        let key = ["tokens", "bytes"][index];
        RateLimit::new(key, 7, Duration::from_nanos(window + index as u64))
            .algorithm(*algorithm)
            .overrun(Overrun::Debt)
    });
    let builder = limits.fold(on(clock), LimitSetBuilder::limit);
    if algorithms.len() > 1 { builder.limit(ResourceLimit::new("slots", 4)) } else { builder }
}

/// One world that forgets what it can, beside one that forgets nothing.
struct Worlds {
    clock: ManualClock,
    real: KeyedLimits<u64>,
    model: HashMap<u64, LimitSet>,
    held: Vec<(LimitSetAcquisition, LimitSetAcquisition)>,
    amounts: Vec<&'static str>,
}

impl Worlds {
    fn both(&self, key: u64, steer: impl Fn(&LimitSet)) {
        steer(&self.real.get(&key).expect("valid"));
        steer(&self.model[&key]);
    }

    /// Whatever can be forgotten is.
    fn forget(&self) {
        for _ in 0..3 * 16 {
            drop(self.real.get(&99).expect("valid"));
        }
    }

    fn step(&mut self, step: &Step) {
        self.forget();
        match *step {
            Step::Try(key, amount) => {
                let request: Vec<_> = self.amounts.iter().map(|name| (*name, amount)).collect();
                let model = &self.model[&key];
                assert_eq!(
                    self.real.get(&key).expect("valid").would_admit(&request),
                    model.would_admit(&request)
                );
                match (self.real.try_acquire(&key, &request), model.try_acquire(&request)) {
                    (Ok(real), Ok(model)) => self.held.push((real, model)),
                    (Err(real), Err(model)) => assert_eq!(real, model),
                    (real, model) => panic!("{real:?} but {model:?}"),
                }
            }
            Step::Release(eighths) if !self.held.is_empty() => {
                let (real, model) = self.held.remove(0);
                for mut acquired in [real, model] {
                    for name in &self.amounts {
                        let used = acquired.requested(name).expect("valid") * eighths / 8;
                        acquired.update([(*name, used)]).expect("valid");
                    }
                    acquired.release().expect("valid");
                }
            }
            Step::Release(_) => {}
            Step::Advance(by) => self.clock.advance(Duration::from_nanos(by)),
            Step::Pause(key, time) => {
                self.both(key, |set| set.pause("tokens", Duration::from_nanos(time)).expect("valid"));
            }
            Step::Resume(key) => self.both(key, |set| set.resume("tokens").expect("valid")),
            Step::Capacity(key, capacity) => {
                self.both(key, |set| set.set_capacity("tokens", capacity).expect("valid"));
            }
        }
    }
}

fn agree(algorithms: &[RateLimitAlgorithm], window: u64, steps: &[Step]) {
    let clock = ManualClock::new();
    clock.advance(Duration::from_micros(1));
    let mut worlds = Worlds {
        real: KeyedLimits::builder(template(&clock, algorithms, window)).max_keys(0).build().expect("valid"),
        model: (0..12)
            .map(|key| (key, template(&clock, algorithms, window).build().expect("valid")))
            .collect(),
        held: Vec::new(),
        amounts: if algorithms.len() > 1 { vec!["tokens", "bytes"] } else { vec!["tokens"] },
        clock,
    };
    for step in steps {
        worlds.step(step);
    }
}

proptest! {
    #[test]
    fn a_key_that_comes_back_is_the_same_as_one_that_never_left(
        algorithm in 0..5usize,
        window in 1..90u64,
        steps in steps(),
    ) {
        agree(&[ALGORITHMS[algorithm]], window, &steps);
    }

    #[test]
    fn so_it_is_with_several_limits(
        algorithms in (0..5usize, 0..5usize),
        window in 1..90u64,
        steps in steps(),
    ) {
        agree(&[ALGORITHMS[algorithms.0], ALGORITHMS[algorithms.1]], window, &steps);
    }
}
