//! Keys and limits that are foreign: what they do when they are dropped or made harms no other key.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};

use concurry_core::clock::{ManualClock, Timestamp};
use concurry_limits::{
    CallLimit, KeyedLimits, Limit, LimitState, PackedState, ResourceLimit, UsageRule, Verdict, Window,
};

use crate::common::{in_use, on, seconds};

/// A key that looks at the limits whenever one of it is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Curious(u64);

static CURIOUS: OnceLock<KeyedLimits<Curious>> = OnceLock::new();

impl Drop for Curious {
    fn drop(&mut self) {
        if let Some(limits) = CURIOUS.get() {
            assert!(limits.stats().keys <= 1_000);
        }
    }
}

#[test]
fn a_key_may_look_at_the_limits_when_it_is_dropped() {
    let clock = ManualClock::new();
    let template = on(&clock).limit(CallLimit::new(1, Window::SECOND)).limit(ResourceLimit::new("doors", 2));
    let limits = CURIOUS.get_or_init(|| KeyedLimits::builder(template).max_keys(1).build().expect("valid"));
    for round in 0..3 {
        for key in 0..200 {
            drop(limits.try_acquire(&Curious(key), ()).unwrap());
        }
        // Some are at rest now, and wake; in the end all are full again.
        for key in 0..200 {
            assert!(limits.try_acquire(&Curious(key), ()).is_err(), "round {round}");
        }
        clock.advance(seconds(1));
    }
    for _ in 0..10_000 {
        drop(limits.get(&Curious(u64::MAX)).unwrap());
    }
    assert!(limits.len() <= 16, "{}", limits.len());
    assert_eq!(limits.stats().keys, limits.len());
}

/// Counts what was ever taken; panics when it is made, packed, unpacked, or asked what it is like, as it is told to.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Moody {
    packs: bool,
}

static NEXT_MAKING: AtomicBool = AtomicBool::new(false);
static NEXT_PACKING: AtomicBool = AtomicBool::new(false);
static NEXT_UNPACKING: AtomicBool = AtomicBool::new(false);
static NEXT_ASKING: AtomicBool = AtomicBool::new(false);
/// The test that tells them.
static TELLING: Mutex<()> = Mutex::new(());

#[typetag::serde]
impl Limit for Moody {
    fn key(&self) -> &'static str {
        "moody"
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
        assert!(!NEXT_MAKING.swap(false, Ordering::SeqCst), "made");
        Box::new(Mood { packs: self.packs, taken: 0 })
    }
}

struct Mood {
    packs: bool,
    taken: u64,
}

impl LimitState for Mood {
    fn check(&mut self, amount: u64, _: Timestamp) -> Verdict {
        if self.taken + amount <= 100 { Verdict::Granted } else { Verdict::OnRelease }
    }

    fn take(&mut self, amount: u64, _: Timestamp) {
        self.taken += amount;
    }

    fn settle(&mut self, _: u64, _: u64, _: Timestamp) {}

    fn undo(&mut self, amount: u64, _: Timestamp, _: Timestamp) {
        self.taken -= amount;
    }

    fn set_capacity(&mut self, _: u64, _: Timestamp) {}

    fn in_use(&mut self, _: Timestamp) -> u64 {
        self.taken
    }

    fn spends_when_taken(&self) -> bool {
        assert!(self.taken == 0 || !NEXT_ASKING.swap(false, Ordering::SeqCst), "asked");
        true
    }

    fn pack(&mut self, _: Timestamp) -> Option<PackedState> {
        assert!(!NEXT_PACKING.swap(false, Ordering::SeqCst), "packed");
        self.packs.then(|| PackedState::new(Timestamp::from_nanos(1 << 60), self.taken))?
    }

    fn unpack(&mut self, packed: PackedState, _: Timestamp) {
        assert!(!NEXT_UNPACKING.swap(false, Ordering::SeqCst), "unpacked");
        self.taken = packed.amount();
    }
}

/// Looks other keys up until the walks have passed.
fn stir(limits: &KeyedLimits<u64>) {
    for round in 0..2_000 {
        drop(limits.get(&(1_000 + round % 50)).expect("valid"));
    }
}

#[test]
fn a_limit_that_panics_when_it_is_made_or_packed_or_unpacked_or_asked_loses_no_count() {
    let _telling = TELLING.lock().unwrap();
    for (packs, beside) in [(true, false), (true, true), (false, true)] {
        let clock = ManualClock::new();
        let mut template = on(&clock).limit(Moody { packs });
        if beside {
            template = template.limit(ResourceLimit::new("doors", 2));
        }
        let limits: KeyedLimits<u64> = KeyedLimits::builder(template).max_keys(1).build().unwrap();
        let mut taken = HashMap::new();
        let moods = [&NEXT_MAKING, &NEXT_PACKING, &NEXT_UNPACKING, &NEXT_ASKING];
        for (key, next) in (0..30).zip(moods.into_iter().cycle()) {
            limits.acquire(&key, [("moody", key)]).unwrap().release().unwrap();
            taken.insert(key, key);
            next.store(true, Ordering::SeqCst);
            // Whoever meets the panic here, the counts stay.
            let met = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                stir(&limits);
                limits.get(&key).map(drop).unwrap();
            }));
            drop(met);
            next.store(false, Ordering::SeqCst);
            stir(&limits);
        }
        for (key, taken) in taken {
            assert_eq!(in_use(&limits.get(&key).unwrap(), "moody"), taken, "of {key}");
        }
        assert_eq!(limits.stats().keys, limits.len());
    }
}
