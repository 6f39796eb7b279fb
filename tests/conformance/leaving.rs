//! Workers that leave, and what was meant for them (SPEC §2): every call is answered, nobody idles beside one that waits, and a
//! worker that takes its time to go holds nothing up.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use concurry::clock::{Clock, ManualClock};
use concurry::prelude::*;

use super::{eventually, every_mode_in_background};

const IDLE: Duration = Duration::from_secs(60);
const MONTHS: Duration = Duration::from_secs(10_000_000);

/// Is made as long as its limits admit a birth, and goes when they admit a death.
#[worker]
pub struct Mortal {}

#[worker]
impl Mortal {
    pub fn new() -> Result<Self, LimitError> {
        let new = Self {};
        if let Some(key) = new.key("births") {
            let mut born = new.limits.try_acquire([(key, 1)])?;
            born.update([(key, 1)])?;
        }
        Ok(new)
    }

    fn key(&self, key: &'static str) -> Option<&'static str> {
        self.limits.sets().iter().any(|set| set.stats().limit(key).is_some()).then_some(key)
    }

    pub fn number(&mut self) -> usize {
        self.limits.worker_index()
    }

    /// Runs until the test lets it through.
    pub fn wait(&mut self, key: String) -> usize {
        drop(self.limits.acquire([(&*key, 1)]).unwrap());
        self.limits.worker_index()
    }

    pub fn panic(&mut self) {
        panic!("on purpose");
    }

    #[retry(attempts = 2, wait = MONTHS, max_wait = MONTHS)]
    pub fn fail_once(&mut self) -> Result<(), String> {
        let mut tried = self.limits.try_acquire([("tries", 1)]).map_err(|error| error.to_string());
        match &mut tried {
            Ok(tried) => tried.update([("tries", 1)]).map_err(|error| error.to_string())?,
            Err(_) => return Ok(()),
        }
        Err("the first time".to_owned())
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        if let Some(key) = self.key("deaths") {
            drop(self.limits.acquire([(key, 1)]));
        }
    }
}

/// A set of rates, on a clock that stands.
fn rates<const N: usize>(rates: [(&str, u64); N]) -> LimitSet {
    let limit = |(key, capacity)| {
        RateLimit::new(key, capacity, Window::DAY).algorithm(RateLimitAlgorithm::FixedWindow)
    };
    let builder = rates.map(limit).into_iter().fold(LimitSet::builder(), concurry::LimitSetBuilder::limit);
    builder.clock(Arc::new(ManualClock::new())).build().unwrap()
}

/// Nobody gets through until it is opened.
fn shut(set: &LimitSet, key: &str) {
    let mut all = set.acquire([(key, 1)]).unwrap();
    all.update([(key, 1)]).unwrap();
}

fn open(set: &LimitSet, key: &str) {
    set.set_capacity(key, 100).unwrap();
}

fn waiting(set: &LimitSet, key: &str) -> usize {
    set.stats().limit(key).unwrap().waiting
}

every_mode_in_background! {
    fn all_who_are_idle_take_what_a_lost_worker_leaves(mode: ExecutionMode) {
        let set = rates([("births", 3), ("first", 1), ("second", 1)]);
        for key in ["first", "second"] {
            shut(&set, key);
        }
        let mut config = Config::default();
        config.pool.restart_tries = Some(1);
        let pool = with_config(config, || Mortal::options(mode, &set, 3).init().unwrap());
        let routed = pool.affinity("ada");
        let running = routed.wait("first".into());
        eventually(|| waiting(&set, "first") == 1);
        let panics = routed.panic();
        // In async mode this one finds out that the worker cannot be made anew.
        let found_out = routed.number();
        let (waits, behind) = (routed.wait("second".into()), routed.number());
        open(&set, "first");
        let lost = running.result().unwrap();
        assert!(matches!(panics.result(), Err(CallError::Panicked(_))));
        found_out.result().ok();
        eventually(|| waiting(&set, "second") == 1);
        assert_ne!(behind.result().unwrap(), lost, "somebody was idle");
        open(&set, "second");
        assert_ne!(waits.result().unwrap(), lost);
        assert_eq!(pool.workers(), 2);
    }

    fn a_worker_that_takes_its_time_to_leave_holds_no_call_up(mode: ExecutionMode) {
        let set = rates([("deaths", 1), ("own", 1), ("other", 1)]);
        for key in ["own", "other", "deaths"] {
            shut(&set, key);
        }
        let pool = Mortal::options(mode, &set, 2).init().unwrap();
        let routed = pool.affinity("ada");
        let running = routed.wait("own".into());
        eventually(|| waiting(&set, "own") == 1);
        let beside = pool.wait("other".into());
        eventually(|| waiting(&set, "other") == 1);
        let behind = routed.number();
        pool.resize(1).unwrap();
        open(&set, "own");
        let leaves = running.result().unwrap();
        eventually(|| waiting(&set, "deaths") == 1);
        open(&set, "other");
        beside.result().unwrap();
        assert_ne!(behind.result().unwrap(), leaves);
        open(&set, "deaths");
    }

    fn a_call_that_comes_back_when_nobody_holds_its_pool_is_run(mode: ExecutionMode) {
        let clock = Arc::new(ManualClock::new());
        let set = rates([("tries", 1)]);
        let pool = Mortal::options(mode, &set, 2).on_demand(IDLE).clock(Arc::clone(&clock) as Arc<dyn Clock>).init().unwrap();
        let call = pool.fail_once();
        eventually(|| pool.stats().retried == 1);
        eventually(|| {
            clock.advance(Duration::from_secs(1));
            pool.workers() == 0
        });
        drop(pool);
        assert!(!call.is_done());
        clock.advance(MONTHS);
        call.result().unwrap();
        // Nothing is left of the pool.
        eventually(|| Arc::strong_count(&clock) == 1);
    }

    fn a_worker_that_leaves_while_its_pool_is_drained_leaves_the_calls_that_back_off(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let set = rates([("tries", 1), ("deaths", 1)]);
        shut(&set, "deaths");
        let options = Mortal::options(mode, &set, 2).on_demand(IDLE).clock(Arc::new(clock.clone()));
        let pool = options.max_queued_calls(1).when_full(WhenFull::Reject).init().unwrap();
        let call = pool.fail_once();
        eventually(|| pool.stats().retried == 1);
        eventually(|| {
            clock.advance(Duration::from_secs(1));
            waiting(&set, "deaths") == 1
        });
        let drained = std::thread::spawn({
            let pool = pool.clone();
            move || pool.drain(MONTHS)
        });
        // As long as the pool is open it is full.
        eventually(|| matches!(pool.number().result(), Err(CallError::Stopped)));
        open(&set, "deaths");
        eventually(|| pool.workers() == 0);
        assert!(!call.is_done());
        clock.advance(MONTHS);
        call.result().unwrap();
        assert!(drained.join().unwrap());
    }
}

/// A pool in mode async whose call backs off, and whose runtime is gone.
fn backing_off_without_a_runtime() -> (ManualClock, MortalHandle, Call<(), String>) {
    let (clock, set) = (ManualClock::new(), rates([("tries", 1)]));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let pool = {
        let _here = runtime.enter();
        let options = Mortal::options(ExecutionMode::Async, &set, 1).on_demand(IDLE);
        options.clock(Arc::new(clock.clone())).init().unwrap()
    };
    let call = pool.fail_once();
    eventually(|| pool.stats().retried == 1);
    drop(runtime);
    eventually(|| pool.workers() == 0);
    (clock, pool, call)
}

#[test]
fn a_call_that_comes_back_when_pool_and_runtime_are_gone_is_told() {
    let (clock, pool, call) = backing_off_without_a_runtime();
    drop(pool);
    assert!(!call.is_done());
    clock.advance(MONTHS);
    let outcome = call.result();
    assert!(matches!(outcome, Err(CallError::WorkerLost { .. })), "{outcome:?}");
}

#[test]
fn a_callback_of_a_call_that_comes_back_in_vain_is_one_from_within() {
    let (clock, pool, call) = backing_off_without_a_runtime();
    let (tell, told) = mpsc::channel();
    call.on_done(move |_| tell.send(pool.drain(Duration::MAX)).unwrap());
    clock.advance(MONTHS);
    assert!(!told.recv().unwrap());
}
