//! A limit of a user's own is foreign code: what never changes of it is asked once, when nothing is locked.

use std::sync::atomic::{AtomicUsize, Ordering};

use concurry_core::clock::{ManualClock, Timestamp};
use concurry_limits::{Feedback, KeyedLimits, Limit, LimitState, ResourceLimit, UsageRule};

use crate::common::{SECOND, on};

/// Counts how often it is asked what never changes.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Asked;

static ASKED: AtomicUsize = AtomicUsize::new(0);

#[typetag::serde(name = "AskedOften")]
impl Limit for Asked {
    fn key(&self) -> &'static str {
        "asked"
    }

    fn capacity(&self) -> u64 {
        ASKED.fetch_add(1, Ordering::SeqCst);
        5
    }

    fn default_amount(&self) -> Option<u64> {
        Some(1)
    }

    fn usage_rule(&self) -> UsageRule {
        ASKED.fetch_add(1, Ordering::SeqCst);
        UsageRule::Held
    }

    fn state(&self, now: Timestamp) -> Box<dyn LimitState> {
        ResourceLimit::new("asked", 5).state(now)
    }
}

#[test]
fn what_never_changes_of_a_limit_is_asked_once() {
    let clock = ManualClock::new();
    let tenants = KeyedLimits::builder(on(&clock).limit(Asked)).max_keys(1).build().unwrap();
    drop(tenants.get(&0_u64).unwrap());
    let asked = ASKED.load(Ordering::SeqCst);
    for tenant in (0..100).cycle().take(1_000) {
        drop(tenants.acquire(&tenant, ()).unwrap());
    }
    let set = tenants.get(&0).unwrap();
    set.feedback(Feedback::retry_after(SECOND));
    assert_eq!(set.stats().limits[0].kind, "AskedOften");
    assert!(set.try_acquire(()).is_ok(), "the server knows nothing of what is held");
    assert_eq!(ASKED.load(Ordering::SeqCst), asked, "under no lock, then");
}
