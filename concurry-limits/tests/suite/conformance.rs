//! Every kind of limit keeps what a set relies on; and the check finds those that do not.

use std::time::Duration;

use concurry_core::clock::Timestamp;
use concurry_limits::{
    CallLimit, Limit, LimitState, Overrun, RateLimit, RateLimitAlgorithm, ResourceLimit, UsageRule, Verdict,
    Window, assert_limit_conforms,
};
use serde::{Deserialize, Serialize};

const ALGORITHMS: [RateLimitAlgorithm; 5] = [
    RateLimitAlgorithm::TokenBucket,
    RateLimitAlgorithm::LeakyBucket,
    RateLimitAlgorithm::SlidingWindow,
    RateLimitAlgorithm::FixedWindow,
    RateLimitAlgorithm::Gcra,
];

#[test]
fn every_algorithm_conforms_as_a_rate_and_as_a_count_of_calls() {
    for algorithm in ALGORITHMS {
        for (capacity, window) in [(1, 1), (10, 1_000_000_000), (3, 86_400_000_000_000), (7, 999_999_937)] {
            let window = Duration::from_nanos(window);
            for overrun in [Overrun::Refuse, Overrun::Debt] {
                assert_limit_conforms(
                    &RateLimit::new("tokens", capacity, window).algorithm(algorithm).overrun(overrun),
                );
            }
            assert_limit_conforms(&CallLimit::new(capacity, window).algorithm(algorithm));
        }
        assert_limit_conforms(&RateLimit::new("tokens", u64::MAX, Window::DAY).algorithm(algorithm));
    }
}

#[test]
fn resources_conform() {
    for capacity in [1, 2, 100, u64::MAX] {
        assert_limit_conforms(&ResourceLimit::new("doors", capacity));
    }
}

/// A limit with a fault.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Faulty(Fault);

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Fault {
    None,
    CheckTakes,
    InstantTooEarly,
    InstantTooLate,
    UndoForgets,
    PristineTooSoon,
    Overfull,
    Timeless,
    RefundsAfterAll,
    DefaultAboveCapacity,
}

/// Five a second, freed all at once.
struct State {
    fault: Fault,
    used: u64,
    until: Timestamp,
}

#[typetag::serde]
impl Limit for Faulty {
    fn key(&self) -> &'static str {
        "faulty"
    }

    fn capacity(&self) -> u64 {
        5
    }

    fn default_amount(&self) -> Option<u64> {
        Some(if self.0 == Fault::DefaultAboveCapacity { 6 } else { 1 })
    }

    fn usage_rule(&self) -> UsageRule {
        UsageRule::Counted
    }

    fn state(&self, now: Timestamp) -> Box<dyn LimitState> {
        Box::new(State { fault: self.0, used: 0, until: now })
    }
}

impl State {
    fn advance(&mut self, now: Timestamp) {
        if now >= self.until {
            self.used = 0;
        }
    }
}

impl LimitState for State {
    fn check(&mut self, amount: u64, now: Timestamp) -> Verdict {
        self.advance(now);
        if self.fault == Fault::CheckTakes {
            self.take(amount, now);
        }
        if self.used + amount <= 5 || self.fault == Fault::Overfull {
            return Verdict::Granted;
        }
        let nanos = match self.fault {
            Fault::InstantTooEarly => self.until.as_nanos() - 1,
            Fault::InstantTooLate => self.until.as_nanos() + 1,
            _ => self.until.as_nanos(),
        };
        Verdict::NotBefore(Timestamp::from_nanos(nanos))
    }

    fn take(&mut self, amount: u64, now: Timestamp) {
        self.advance(now);
        if self.used == 0 {
            self.until = now + Duration::from_secs(1);
        }
        self.used += amount;
    }

    fn settle(&mut self, requested: u64, used: u64, now: Timestamp) {
        if self.fault == Fault::RefundsAfterAll {
            self.undo(requested.saturating_sub(used), now, now);
        }
    }

    fn undo(&mut self, amount: u64, _: Timestamp, now: Timestamp) {
        self.advance(now);
        if self.fault != Fault::UndoForgets {
            self.used = self.used.saturating_sub(amount);
        }
    }

    fn set_capacity(&mut self, _: u64, _: Timestamp) {}

    fn in_use(&mut self, now: Timestamp) -> u64 {
        self.advance(now);
        self.used
    }

    fn goes_by_time(&self) -> bool {
        self.fault != Fault::Timeless
    }

    fn refunds(&self) -> bool {
        false
    }

    fn is_pristine(&mut self, now: Timestamp) -> bool {
        self.fault == Fault::PristineTooSoon || self.in_use(now) == 0
    }
}

fn complaint(fault: Fault) -> String {
    let panic = std::panic::catch_unwind(|| assert_limit_conforms(&Faulty(fault)));
    panic.err().and_then(|panic| panic.downcast::<String>().ok()).map_or_else(String::new, |text| *text)
}

#[test]
fn each_fault_is_found_and_named() {
    assert_eq!(complaint(Fault::None), "");
    for (fault, complains) in [
        (Fault::CheckTakes, "a check "),
        (Fault::InstantTooEarly, "it refuses at the instant that it named"),
        (Fault::InstantTooLate, "a nanosecond before its instant"),
        (Fault::UndoForgets, "an undo left something in use"),
        (Fault::PristineTooSoon, "as good as new"),
        (Fault::Overfull, "more is in use than the capacity"),
        (Fault::Timeless, "time freed something"),
        (Fault::RefundsAfterAll, "a settle made an admission earlier"),
        (Fault::DefaultAboveCapacity, "the default amount is above the capacity"),
    ] {
        let found = complaint(fault);
        assert!(found.contains(complains), "{fault:?}: {found:?}");
    }
}
