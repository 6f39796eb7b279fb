//! Calls, limits and workers that wait for each other: nobody holds what the other waits for (SPEC §1, §2), and whoever waits is
//! answered when the pool is stopped.

use std::sync::Arc;
use std::time::Duration;

use concurry::clock::{ManualClock, Timestamp};
use concurry::prelude::*;
use concurry::typetag;
use concurry::{Limit, LimitState, UsageRule, Verdict};
use serde::{Deserialize, Serialize};

use super::workers::TestError;
use super::{eventually, every_mode, every_mode_in_background, tests_in};

const GATE: &str = "gate";
const DOOR: &str = "door";

#[worker]
#[derive(Default)]
pub struct Guest {}

#[worker]
impl Guest {
    /// Goes through the gate and then the door, beside others where methods can run side by side.
    pub fn passes(&self, doors: u64) -> Result<u64, TestError> {
        drop(self.limits.acquire([(GATE, 1), (DOOR, 0)])?);
        Ok(self.limits.acquire([(GATE, 0), (DOOR, doors)])?.requested(DOOR).unwrap_or(0))
    }

    /// Waits for both at once: for the gate as async code does, and for the door by blocking its thread.
    pub async fn passes_both(&self) -> Result<(), TestError> {
        let gate = async { self.limits.acquire_async([(GATE, 1), (DOOR, 0)]).await.map(drop) };
        let door = async { self.limits.acquire([(GATE, 0), (DOOR, 1)]).map(drop) };
        let (gate, door) = tokio::join!(gate, door);
        gate?;
        Ok(door?)
    }

    /// Has the door before it begins, and runs beside no other.
    #[limited(gate = 0, door = 1)]
    pub fn alone(&mut self, number: u64) -> u64 {
        number
    }

    /// Which thread it ran on, once the gate was open.
    pub fn enters(&mut self) -> Result<String, TestError> {
        drop(self.limits.acquire([(GATE, 1), (DOOR, 0)])?);
        Ok(format!("{:?}", std::thread::current().id()))
    }

    pub fn free(&self) -> String {
        "free".to_owned()
    }
}

/// A gate and a door, for one each.
fn set() -> LimitSet {
    let builder = LimitSet::builder().limit(ResourceLimit::new(GATE, 1)).limit(ResourceLimit::new(DOOR, 1));
    builder.build().unwrap()
}

fn shut(set: &LimitSet, key: &str) -> LimitSetAcquisition {
    set.acquire([(GATE, u64::from(key == GATE)), (DOOR, u64::from(key == DOOR))]).unwrap()
}

fn waiting(set: &LimitSet, key: &str) -> usize {
    set.stats().limit(key).unwrap().waiting
}

fn is_unused(set: &LimitSet) -> bool {
    set.stats().limits.iter().all(|limit| limit.in_use == 0 && limit.waiting == 0)
}

#[test]
fn in_sync_mode_who_waits_for_the_worker_holds_nothing_that_its_method_waits_for() {
    let set = set();
    let (gate, door) = (shut(&set, GATE), shut(&set, DOOR));
    let guest = Guest::options(ExecutionMode::Sync, &set, 1).init().unwrap();
    std::thread::scope(|scope| {
        let alone = scope.spawn(|| guest.alone(7).result().unwrap());
        eventually(|| waiting(&set, DOOR) == 1);
        let passes = scope.spawn(|| guest.passes(1).result().unwrap());
        eventually(|| waiting(&set, GATE) == 1);
        drop(gate);
        eventually(|| waiting(&set, DOOR) == 2);
        drop(door);
        assert_eq!((alone.join().unwrap(), passes.join().unwrap()), (7, 1));
    });
    assert!(is_unused(&set));
}

#[test]
fn in_sync_mode_who_waits_for_limits_is_told_of_a_stop() {
    let set = set();
    let door = shut(&set, DOOR);
    let guest = Guest::options(ExecutionMode::Sync, &set, 1).init().unwrap();
    std::thread::scope(|scope| {
        let alone = scope.spawn(|| guest.alone(7).result());
        eventually(|| waiting(&set, DOOR) == 1);
        guest.stop();
        assert!(matches!(alone.join().unwrap(), Err(CallError::Stopped)));
    });
    drop(door);
    assert!(is_unused(&set));
}

#[test]
fn in_sync_mode_who_waits_for_the_turn_is_told_of_a_stop() {
    let set = set();
    let (gate, door) = (shut(&set, GATE), shut(&set, DOOR));
    let guest = Guest::options(ExecutionMode::Sync, &set, 1).init().unwrap();
    std::thread::scope(|scope| {
        let passes = scope.spawn(|| guest.passes(0).result());
        eventually(|| waiting(&set, GATE) == 1);
        let waits = scope.spawn(|| guest.free().result());
        let told = scope.spawn(|| guest.alone(7).result());
        eventually(|| waiting(&set, DOOR) == 1);
        (0..1_000).for_each(|_| std::thread::yield_now());
        let stops = scope.spawn(|| guest.stop());
        // It has been stopped when this one has been told.
        assert!(matches!(told.join().unwrap(), Err(CallError::Stopped)));
        drop(gate);
        assert_eq!(passes.join().unwrap().unwrap(), 0, "what runs goes on");
        assert!(matches!(waits.join().unwrap(), Err(CallError::Stopped)));
        stops.join().unwrap();
    });
    drop(door);
    assert!(is_unused(&set));
}

#[test]
fn in_async_mode_who_waits_for_the_worker_holds_nothing_that_its_method_waits_for() {
    let set = set();
    let (gate, door) = (shut(&set, GATE), shut(&set, DOOR));
    let guest = Guest::options(ExecutionMode::Async, &set, 1).init().unwrap();
    let passes = guest.passes(1);
    eventually(|| waiting(&set, GATE) == 1);
    let alone = guest.alone(7);
    eventually(|| waiting(&set, DOOR) == 1);
    drop(gate);
    eventually(|| waiting(&set, DOOR) == 2);
    // It is admitted first, and has to wait for its worker.
    drop(door);
    assert_eq!((passes.result().unwrap(), alone.result().unwrap()), (1, 7));
    eventually(|| guest.stats().running == 0);
    assert!(is_unused(&set));
}

/// A pool of mode async whose one call has waited for its worker in vain: it gave back the door, which somebody else has now.
fn gave_way() -> (LimitSet, GuestHandle, Call<u64>, LimitSetAcquisition) {
    let set = set();
    let gate = shut(&set, GATE);
    let guest = Guest::options(ExecutionMode::Async, &set, 1).init().unwrap();
    let passes = guest.passes(0);
    eventually(|| waiting(&set, GATE) == 1);
    let alone = guest.alone(7);
    eventually(|| guest.stats().running == 2);
    let door = shut(&set, DOOR);
    drop(gate);
    passes.result().unwrap();
    eventually(|| waiting(&set, DOOR) == 1);
    (set, guest, alone, door)
}

#[test]
fn in_async_mode_a_call_that_gave_way_occupies_no_worker() {
    let (set, guest, alone, door) = gave_way();
    assert_eq!(guest.free().result().unwrap(), "free");
    assert!(!alone.is_done());
    drop(door);
    assert_eq!(alone.result().unwrap(), 7);
    eventually(|| guest.stats().running == 0);
    assert_eq!((guest.stats().done, is_unused(&set)), (3, true));
}

#[test]
fn in_async_mode_a_call_that_gave_way_is_cancelled_or_stopped_like_any_other() {
    for stops in [false, true] {
        let (set, guest, alone, door) = gave_way();
        if stops {
            guest.stop();
            assert!(matches!(alone.result(), Err(CallError::Stopped)));
        } else {
            assert!(alone.cancel());
            eventually(|| waiting(&set, DOOR) == 0);
            eventually(|| guest.stats().running + guest.stats().queued == 0);
        }
        drop(door);
        assert!(is_unused(&set));
    }
}

#[test]
fn in_async_mode_methods_that_have_their_worker_alone_follow_each_other_on_one_thread() {
    let set = set();
    let gate = shut(&set, GATE);
    let guest = Guest::options(ExecutionMode::Async, &set, 1).init().unwrap();
    let first = guest.enters();
    eventually(|| waiting(&set, GATE) == 1);
    let others: Vec<_> = (0..20).map(|_| guest.enters()).collect();
    drop(gate);
    let thread = first.result().unwrap();
    assert!(others.into_iter().all(|call| call.result().unwrap() == thread));
    assert_eq!(guest.free().result().unwrap(), "free");
}

every_mode! {
    fn who_is_woken_while_another_wait_blocks_its_thread_is_woken_all_the_same(mode: ExecutionMode) {
        let set = set();
        let (gate, door) = (shut(&set, GATE), shut(&set, DOOR));
        let guest = Guest::options(mode, &set, 1).init().unwrap();
        std::thread::scope(|scope| {
            let both = scope.spawn(|| guest.passes_both().result().unwrap());
            eventually(|| waiting(&set, GATE) == 1 && waiting(&set, DOOR) == 1);
            drop(gate);
            drop(door);
            both.join().unwrap();
        });
        assert!(is_unused(&set));
    }
}

every_mode_in_background! {
    fn who_stood_behind_a_call_that_is_displaced_is_looked_for(mode: ExecutionMode) {
        let set = set();
        let door = shut(&set, DOOR);
        let options = Guest::options(mode, &set, 2).load_balancing(LoadBalancing::RoundRobin);
        let guest = options.max_queued_calls(3).when_full(WhenFull::DropOldest).init().unwrap();
        let oldest = guest.alone(0);
        eventually(|| waiting(&set, DOOR) == 1);
        let other = guest.alone(1);
        eventually(|| waiting(&set, DOOR) == 2);
        let (behind, last) = (guest.alone(2), guest.alone(3));
        assert!(matches!(oldest.result(), Err(CallError::Displaced)));
        drop(door);
        assert_eq!([other, behind, last].map(|call| call.result().unwrap()), [1, 2, 3]);
    }

    fn a_limit_of_ones_own_that_panics_is_told_and_harms_no_other_call(mode: ExecutionMode) {
        let set = LimitSet::builder().limit(Touchy {}).build().unwrap();
        let guest = Touching::options(mode, &set, 2).init().unwrap();
        let error = guest.touches(13).result().unwrap_err();
        let CallError::Panicked(panicked) = error else { panic!("{error:?}") };
        assert!(panicked.message().contains("13"), "{panicked}");
        assert_eq!(guest.touches(12).result().unwrap(), 12);
        assert!(guest.drain(Duration::MAX));
    }
}

#[worker]
#[derive(Default)]
pub struct Touching {}

#[worker]
impl Touching {
    #[limited(touchy = amount)]
    pub fn touches(&self, amount: u64) -> u64 {
        amount
    }
}

/// A limit that admits everything but 13.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Touchy {}

#[typetag::serde]
impl Limit for Touchy {
    fn key(&self) -> &'static str {
        "touchy"
    }

    fn capacity(&self) -> u64 {
        100
    }

    fn default_amount(&self) -> Option<u64> {
        Some(1)
    }

    fn usage_rule(&self) -> UsageRule {
        UsageRule::Held
    }

    fn state(&self, _: Timestamp) -> Box<dyn LimitState> {
        Box::new(TouchyState {})
    }
}

struct TouchyState {}

impl LimitState for TouchyState {
    fn check(&mut self, amount: u64, _: Timestamp) -> Verdict {
        assert_ne!(amount, 13, "no number of mine");
        Verdict::Granted
    }

    fn take(&mut self, _: u64, _: Timestamp) {}

    fn settle(&mut self, _: u64, _: u64, _: Timestamp) {}

    fn undo(&mut self, _: u64, _: Timestamp, _: Timestamp) {}

    fn set_capacity(&mut self, _: u64, _: Timestamp) {}

    fn in_use(&mut self, _: Timestamp) -> u64 {
        0
    }
}

/// Uses its own pool. A handle cannot travel: this worker cannot run in processes.
#[worker]
pub struct Within {}

#[worker]
impl Within {
    /// As often as its limits admit a birth.
    pub fn new() -> Result<Self, LimitError> {
        let new = Self {};
        let mut born = new.limits.try_acquire([("births", 1), (GATE, 0)])?;
        born.update([("births", 1)])?;
        Ok(new)
    }

    /// Asks its own pool once the gate is open.
    pub async fn asks(&self, own: WithinHandle) -> Result<(), CallError> {
        drop(self.limits.acquire_async([(GATE, 1)]).await.unwrap());
        own.nothing().await
    }

    pub fn asks_alone(&mut self, own: WithinHandle) -> Result<(), CallError> {
        own.nothing().result()
    }

    pub fn nothing(&self) {}

    pub fn panics(&self) {
        panic!("on purpose");
    }
}

/// So many births, and a gate.
fn births(count: u64) -> LimitSet {
    let births = RateLimit::new("births", count, Window::DAY).algorithm(RateLimitAlgorithm::FixedWindow);
    let builder = LimitSet::builder().limit(births).limit(ResourceLimit::new(GATE, 1));
    builder.clock(Arc::new(ManualClock::new())).build().unwrap()
}

#[test]
fn in_async_mode_a_crash_beside_a_call_does_not_keep_what_that_call_waits_for() {
    // Made anew, and lost.
    for (count, is_made) in [(2, true), (1, false)] {
        let set = births(count);
        let gate = set.acquire([(GATE, 1)]).unwrap();
        let mut config = Config::default();
        config.pool.restart_tries = Some(1);
        let pool = with_config(config, || Within::options(ExecutionMode::Async, &set, 1).init().unwrap());
        let asks = pool.asks(pool.clone());
        eventually(|| waiting(&set, GATE) == 1);
        assert!(matches!(pool.panics().result(), Err(CallError::Panicked(_))));
        drop(gate);
        let outcome = asks.result().map(|()| true);
        assert_eq!(matches!(outcome, Ok(true)), is_made, "{outcome:?}");
        if is_made {
            pool.nothing().result().unwrap();
        }
        pool.stop();
    }
}

tests_in! { [thread: Thread, in_async: Async]
    fn who_waits_for_a_worker_that_cannot_be_made_is_told(mode: ExecutionMode) {
        let set = births(1);
        let options = Within::options(mode, &set, 2).on_demand(Duration::from_secs(60));
        let pool = options.init().unwrap();
        let outcome = pool.asks_alone(pool.clone()).result();
        assert!(outcome.is_err(), "{outcome:?}");
    }
}
