//! A user's own limit that panics: the others keep their counts, and nobody waits in vain.

use std::sync::atomic::{AtomicBool, Ordering};

use concurry_core::clock::Timestamp;
use concurry_limits::{Limit, LimitError, LimitSet, LimitState, ResourceLimit, UsageRule, Verdict};

use crate::common::{Task, in_use, waiters};

/// 12 are a matter of its mood.
static HAS_HAD_ENOUGH: AtomicBool = AtomicBool::new(false);

/// Panics when it is asked for 13, when 14 are taken, when 15 are given back, and, of a capacity of 66, when it is looked at.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Touchy;

#[typetag::serde]
impl Limit for Touchy {
    fn key(&self) -> &'static str {
        "touchy"
    }

    fn capacity(&self) -> u64 {
        100
    }

    fn default_amount(&self) -> Option<u64> {
        Some(0)
    }

    fn usage_rule(&self) -> UsageRule {
        UsageRule::Held
    }

    fn state(&self, _: Timestamp) -> Box<dyn LimitState> {
        Box::new(State { capacity: 100 })
    }
}

struct State {
    capacity: u64,
}

impl LimitState for State {
    fn check(&mut self, amount: u64, _: Timestamp) -> Verdict {
        assert_ne!(amount, 13, "asked");
        assert!(amount != 12 || !HAS_HAD_ENOUGH.load(Ordering::SeqCst), "asked once more");
        Verdict::Granted
    }

    fn take(&mut self, amount: u64, _: Timestamp) {
        assert_ne!(amount, 14, "taken");
    }

    fn settle(&mut self, requested: u64, _: u64, _: Timestamp) {
        assert_ne!(requested, 15, "settled");
    }

    fn undo(&mut self, _: u64, _: Timestamp, _: Timestamp) {}

    fn set_capacity(&mut self, capacity: u64, _: Timestamp) {
        self.capacity = capacity;
    }

    fn in_use(&mut self, _: Timestamp) -> u64 {
        assert_ne!(self.capacity, 66, "looked at");
        0
    }
}

fn set() -> LimitSet {
    let builder = LimitSet::builder().limit(ResourceLimit::new("door", 1)).limit(Touchy);
    builder.limit(ResourceLimit::new("window", 1)).build().expect("they are valid")
}

fn panics(body: impl FnOnce()) {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).expect_err("it panics");
}

#[test]
fn nothing_is_taken_of_the_others() {
    let set = set();
    for amount in [13, 14] {
        panics(|| drop(set.try_acquire([("touchy", amount)])));
        assert_eq!((in_use(&set, "door"), in_use(&set, "window")), (0, 0));
        // Past the ledger too, which is closed while somebody waits.
        let held = set.acquire(()).unwrap();
        let waits = Task::waiting(set.acquire_async(()));
        drop(held);
        drop(waits);
        panics(|| drop(set.try_acquire([("touchy", amount)])));
        drop(set.try_acquire(()).expect("all is free"));
    }
}

#[test]
fn who_waits_for_it_is_told_and_who_waits_behind_is_admitted() {
    for amount in [12, 14] {
        HAS_HAD_ENOUGH.store(false, Ordering::SeqCst);
        let set = set();
        let held = set.acquire(()).unwrap();
        let mut touchy = Task::waiting(set.acquire_async([("touchy", amount)]));
        let mut next = Task::waiting(set.acquire_async(()));
        HAS_HAD_ENOUGH.store(true, Ordering::SeqCst);
        drop(held);
        let error = touchy.woken().unwrap_err();
        assert!(
            matches!(error, LimitError::Never { .. }) && error.to_string().contains("panicked"),
            "{error}"
        );
        drop(next.woken().unwrap());
        assert_eq!((in_use(&set, "door"), waiters(&set, "door")), (0, 0));
    }
}

#[test]
fn one_that_panics_when_it_is_given_back_beside_another_panic_ends_no_process() {
    let set = set();
    panics(|| {
        let _held = set.acquire([("touchy", 15)]).unwrap();
        panic!("another");
    });
    drop(set.try_acquire(()).expect("all is free"));
}

#[test]
fn all_who_ask_for_more_than_a_lowered_capacity_are_told_though_it_panics() {
    let set = set();
    let held = set.acquire(()).unwrap();
    let mut too_large = [70, 80].map(|amount| Task::waiting(set.acquire_async([("touchy", amount)])));
    let mut next = Task::waiting(set.acquire_async(()));
    let lower = std::panic::AssertUnwindSafe(|| set.set_capacity("touchy", 66));
    std::panic::catch_unwind(lower).expect("who lowers it is not to blame").unwrap();
    for task in &mut too_large {
        let error = task.woken().unwrap_err();
        assert!(matches!(error, LimitError::Never { .. }), "{error}");
    }
    set.set_capacity("touchy", 100).unwrap();
    drop(held);
    drop(next.woken().unwrap());
    assert_eq!((in_use(&set, "door"), waiters(&set, "door")), (0, 0));
}
