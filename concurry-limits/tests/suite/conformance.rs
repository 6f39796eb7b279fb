//! Every kind of limit keeps what a set relies on; and the check finds those that do not.

use std::time::Duration;

use concurry_core::clock::Timestamp;
use concurry_core::panics::catch;
use concurry_limits::{
    CallLimit, Limit, LimitSetError, LimitState, Overrun, PackedState, RateLimit, RateLimitAlgorithm,
    ResourceLimit, UsageRule, Verdict, Window, assert_limit_conforms,
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
struct Faulty {
    fault: Fault,
    #[serde(skip)]
    unwritten: u64,
}

impl Faulty {
    fn new(fault: Fault) -> Self {
        Self { fault, unwritten: u64::from(fault == Fault::TextForgets) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Fault {
    None,
    Invalid,
    DefaultAboveCapacity,
    #[serde(skip_serializing)]
    NoText,
    #[serde(skip_deserializing)]
    NoReading,
    TextForgets,
    CheckTakes,
    CheckChanges,
    InstantIsOver,
    InstantTooEarly,
    InstantTooLate,
    NeverWithinCapacity,
    WaitsForNobody,
    TakeLessens,
    UndoForgets,
    Overfull,
    CapacityNeverFalls,
    CapacityNeverRises,
    CapacityForgives,
    CapacityForgetsTime,
    Timeless,
    RefundsAfterAll,
    SpendsAndSettles,
    SettleUsesMore,
    DebtIsForgiven,
    DebtIsHalved,
    PristineTooSoon,
    PackForgets,
    UnpackForgets,
    PanicsAtTheLargest,
    PanicsAtTheLast,
}

/// Five a second, freed all at once.
struct State {
    fault: Fault,
    capacity: u64,
    used: u64,
    until: Timestamp,
}

#[typetag::serde]
impl Limit for Faulty {
    fn key(&self) -> &'static str {
        "faulty"
    }

    fn capacity(&self) -> u64 {
        5 + self.unwritten
    }

    fn default_amount(&self) -> Option<u64> {
        Some(if self.fault == Fault::DefaultAboveCapacity { 6 } else { 1 })
    }

    fn usage_rule(&self) -> UsageRule {
        UsageRule::Reported(Overrun::Debt)
    }

    fn validate(&self) -> Result<(), LimitSetError> {
        if self.fault == Fault::Invalid { Err(LimitSetError::EmptyKey) } else { Ok(()) }
    }

    fn state(&self, now: Timestamp) -> Box<dyn LimitState> {
        Box::new(State { fault: self.fault, capacity: self.capacity(), used: 0, until: now })
    }
}

impl State {
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn advance(&mut self, now: Timestamp) {
        if now >= self.until {
            self.used = 0;
        }
    }

    fn add(&mut self, amount: u64, now: Timestamp) {
        self.advance(now);
        if self.used == 0 {
            self.until = now + Duration::from_secs(1);
        }
        self.used = self.used.saturating_add(amount);
    }
}

impl LimitState for State {
    fn check(&mut self, amount: u64, now: Timestamp) -> Verdict {
        assert!(amount < u64::MAX || !self.has(Fault::PanicsAtTheLargest), "so much does not exist");
        assert!(now < Timestamp::MAX || !self.has(Fault::PanicsAtTheLast), "so late it never is");
        self.advance(now);
        if self.has(Fault::CheckTakes) {
            self.take(amount, now);
        }
        let fits = self.used.checked_add(amount).is_some_and(|used| used <= self.capacity);
        if fits || self.has(Fault::Overfull) {
            return Verdict::Granted;
        }
        let nanos = self.until.as_nanos();
        Verdict::NotBefore(Timestamp::from_nanos(match self.fault {
            Fault::NeverWithinCapacity => return Verdict::Never("it is full".into()),
            Fault::WaitsForNobody => return Verdict::OnRelease,
            Fault::InstantIsOver => now.as_nanos(),
            Fault::InstantTooEarly => nanos - 1,
            Fault::InstantTooLate => nanos.saturating_add(1),
            Fault::CheckChanges => {
                self.until = Timestamp::from_nanos(nanos.saturating_add(1));
                nanos
            }
            _ => nanos,
        }))
    }

    fn take(&mut self, amount: u64, now: Timestamp) {
        if self.has(Fault::TakeLessens) {
            self.used = 0;
        }
        self.add(amount, now);
    }

    fn settle(&mut self, requested: u64, used: u64, now: Timestamp) {
        let excess = used.saturating_sub(requested);
        match self.fault {
            Fault::RefundsAfterAll => self.undo(requested.saturating_sub(used), now, now),
            Fault::SpendsAndSettles => self.undo(requested, now, now),
            Fault::SettleUsesMore => self.add(requested, now),
            _ => {}
        }
        match self.fault {
            _ if excess == 0 => {}
            Fault::DebtIsForgiven => {}
            Fault::DebtIsHalved => self.add(excess / 2, now),
            _ => self.add(excess, now),
        }
    }

    fn undo(&mut self, amount: u64, _: Timestamp, now: Timestamp) {
        self.advance(now);
        if !self.has(Fault::UndoForgets) {
            self.used = self.used.saturating_sub(amount);
        }
    }

    fn set_capacity(&mut self, capacity: u64, now: Timestamp) {
        match self.fault {
            Fault::CapacityNeverFalls => self.capacity = self.capacity.max(capacity),
            Fault::CapacityNeverRises => self.capacity = self.capacity.min(capacity),
            Fault::CapacityForgives => (self.capacity, self.used) = (capacity, self.used.min(capacity)),
            Fault::CapacityForgetsTime => {
                (self.capacity, self.until) = (capacity, self.until.max(now.saturating_add_nanos(1)));
            }
            _ => self.capacity = capacity,
        }
    }

    fn in_use(&mut self, now: Timestamp) -> u64 {
        self.advance(now);
        self.used
    }

    fn goes_by_time(&self) -> bool {
        !self.has(Fault::Timeless)
    }

    fn refunds(&self) -> bool {
        self.has(Fault::SpendsAndSettles)
    }

    fn spends_when_taken(&self) -> bool {
        // What is taken beside that is seen as such.
        !self.has(Fault::SettleUsesMore)
    }

    fn is_pristine(&mut self, now: Timestamp) -> bool {
        self.has(Fault::PristineTooSoon) || self.in_use(now) == 0
    }

    fn pack(&mut self, now: Timestamp) -> Option<PackedState> {
        match self.in_use(now) {
            0 => Some(PackedState::full()),
            _ if self.has(Fault::PackForgets) => Some(PackedState::full()),
            used => PackedState::new(self.until, used),
        }
    }

    fn unpack(&mut self, packed: PackedState, now: Timestamp) {
        if packed.full_at() > now && !self.has(Fault::UnpackForgets) {
            (self.until, self.used) = (packed.full_at(), packed.amount());
        }
    }
}

/// What the check says of a limit with this fault, if anything.
fn complaint(fault: Fault) -> Option<String> {
    let panic = catch(|| assert_limit_conforms(&Faulty::new(fault))).err()?;
    Some(panic.message().to_owned())
}

#[test]
fn each_fault_is_found_and_named() {
    assert_eq!(complaint(Fault::None), None);
    for (fault, complains) in [
        (Fault::Invalid, "is not valid itself"),
        (Fault::DefaultAboveCapacity, "the default amount is above the capacity"),
        (Fault::NoText, "does not become text"),
        (Fault::NoReading, "does not become a limit again"),
        (Fault::TextForgets, "says other things of itself"),
        (Fault::CheckTakes, "a check "),
        (Fault::CheckChanges, "a check changed the next one"),
        (Fault::InstantIsOver, "it refuses until an instant that is over"),
        (Fault::InstantTooEarly, "it refuses at the instant that it named"),
        (Fault::InstantTooLate, "a nanosecond before its instant"),
        (Fault::NeverWithinCapacity, "an amount within the capacity is refused for ever"),
        (Fault::WaitsForNobody, "it waits for a release where nothing is held"),
        (Fault::TakeLessens, "a take lessened what is in use"),
        (Fault::UndoForgets, "an undo left something in use"),
        (Fault::Overfull, "more is in use than the capacity"),
        (Fault::CapacityNeverFalls, "more is in use than the capacity"),
        (Fault::CapacityNeverRises, "it refuses until an instant that is over"),
        (Fault::CapacityForgives, "a change of the capacity changed what is in use"),
        (Fault::CapacityForgetsTime, "a change of the capacity changed what is in use"),
        (Fault::Timeless, "time freed something"),
        (Fault::RefundsAfterAll, "a settle made an admission earlier"),
        (Fault::SpendsAndSettles, "it spends when taken, and a settle of all changed something"),
        (Fault::SettleUsesMore, "a settle of what was taken used more"),
        (Fault::DebtIsForgiven, "what was used above the request was not charged"),
        (Fault::DebtIsHalved, "what was used above the request was not charged"),
        (Fault::PristineTooSoon, "as good as new"),
        (Fault::PackForgets, "what was packed and unpacked answers otherwise"),
        (Fault::UnpackForgets, "what was packed and unpacked answers otherwise"),
        (Fault::PanicsAtTheLargest, "so much does not exist"),
        (Fault::PanicsAtTheLast, "so late it never is"),
    ] {
        let found = complaint(fault).unwrap_or_default();
        assert!(found.contains(complains), "{fault:?}: {found:?}");
    }
}
